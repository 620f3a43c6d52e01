// Handles libjpeg's conditions as Pillow's JpegDecode.c does. Warnings are ignored. Errors break the image, and so does
// input that ends while libjpeg still needs bytes for a pixel. Data after the last pixel do not matter unless they
// cause an error.
#include "jpeg_decoder.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

// A progressive image has about ten scans. One with thousands would take hours (libjpeg-turbo's own djpeg has this
// limit too).
static const int scan_limit = 500;

struct seed_jpeg_decoder {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    int is_started;
    seed_jpeg_read read;
    void *context;
    size_t offset;
    int is_unreadable;
    int is_finishing;
    int has_many_scans;
    char message[JMSG_LENGTH_MAX];
    unsigned char buffer[1 << 16];
};

static void leave(j_common_ptr codec) {
    seed_jpeg_decoder *decoder = codec->client_data;
    codec->err->format_message(codec, decoder->message);
    longjmp(decoder->escape, 1);
}

static void say_nothing(j_common_ptr codec) { (void)codec; }

static void do_nothing(j_decompress_ptr codec) { (void)codec; }

// Returns FALSE at the end of the input: libjpeg then returns to its caller ("suspends") when it needs another byte,
// instead of inventing an end. After the last pixel nothing more is read: Pillow looks for errors only within the 64
// KiB block that it already has.
static boolean fill(j_decompress_ptr codec) {
    seed_jpeg_decoder *decoder = codec->client_data;
    if (decoder->is_unreadable || decoder->is_finishing) return FALSE;
    size_t room = sizeof decoder->buffer - decoder->offset % sizeof decoder->buffer;
    ptrdiff_t count = decoder->read(decoder->context, decoder->buffer, room, decoder->offset);
    if (count < 0) decoder->is_unreadable = 1;
    if (count <= 0) return FALSE;
    decoder->offset += (size_t)count;
    decoder->source.next_input_byte = decoder->buffer;
    decoder->source.bytes_in_buffer = (size_t)count;
    return TRUE;
}

static void skip(j_decompress_ptr codec, long count) {
    seed_jpeg_decoder *decoder = codec->client_data;
    struct jpeg_source_mgr *source = &decoder->source;
    if (count <= 0) return;
    if ((size_t)count <= source->bytes_in_buffer) {
        source->next_input_byte += count;
        source->bytes_in_buffer -= (size_t)count;
    } else {
        decoder->offset += (size_t)count - source->bytes_in_buffer;
        source->bytes_in_buffer = 0;
    }
}

static void watch_scans(j_common_ptr codec) {
    seed_jpeg_decoder *decoder = codec->client_data;
    if (!codec->is_decompressor || decoder->codec.input_scan_number <= scan_limit) return;
    decoder->has_many_scans = 1;
    snprintf(decoder->message, sizeof decoder->message, "more than %d scans", scan_limit);
    longjmp(decoder->escape, 1);
}

seed_jpeg_decoder *seed_jpeg_create(void) { return calloc(1, sizeof(seed_jpeg_decoder)); }

void seed_jpeg_destroy(seed_jpeg_decoder *decoder) {
    if (decoder) seed_jpeg_finish(decoder);
    free(decoder);
}

// The status after an error or a suspension.
static enum seed_jpeg_status failed(seed_jpeg_decoder *decoder, int is_error) {
    if (decoder->is_unreadable) return SEED_JPEG_UNREADABLE;
    if (!is_error) return SEED_JPEG_TRUNCATED;
    return !decoder->has_many_scans && decoder->errors.msg_code == JERR_OUT_OF_MEMORY ? SEED_JPEG_NO_MEMORY : SEED_JPEG_BROKEN;
}

enum seed_jpeg_status seed_jpeg_start(
    seed_jpeg_decoder *decoder, seed_jpeg_read read, void *context, unsigned *width, unsigned *height, int *components) {
    seed_jpeg_finish(decoder);
    decoder->read = read;
    decoder->context = context;
    decoder->offset = 0;
    decoder->is_unreadable = 0;
    decoder->is_finishing = 0;
    decoder->has_many_scans = 0;
    decoder->message[0] = 0;
    decoder->codec.err = jpeg_std_error(&decoder->errors);
    decoder->errors.error_exit = leave;
    decoder->errors.output_message = say_nothing;
    decoder->codec.client_data = decoder;
    if (setjmp(decoder->escape)) return failed(decoder, 1);
    jpeg_create_decompress(&decoder->codec);
    decoder->is_started = 1;
    decoder->source = (struct jpeg_source_mgr){
        .init_source = do_nothing, .fill_input_buffer = fill, .skip_input_data = skip,
        .resync_to_restart = jpeg_resync_to_restart, .term_source = do_nothing,
    };
    decoder->progress.progress_monitor = watch_scans;
    decoder->codec.src = &decoder->source;
    decoder->codec.progress = &decoder->progress;
    int status;
    do {
        status = jpeg_read_header(&decoder->codec, FALSE);
    } while (status == JPEG_HEADER_TABLES_ONLY);
    if (status != JPEG_HEADER_OK) return failed(decoder, 0);
    *width = decoder->codec.image_width;
    *height = decoder->codec.image_height;
    *components = decoder->codec.num_components;
    return SEED_JPEG_DONE;
}

enum seed_jpeg_status seed_jpeg_decode(seed_jpeg_decoder *decoder, unsigned char *pixels) {
    j_decompress_ptr codec = &decoder->codec;
    if (setjmp(decoder->escape)) return failed(decoder, 1);
    codec->out_color_space = codec->num_components == 4 ? JCS_CMYK : JCS_EXT_RGBX;
    codec->dct_method = JDCT_ISLOW;
    if (!jpeg_start_decompress(codec)) return failed(decoder, 0);
    size_t stride = (size_t)codec->output_width * 4;
    while (codec->output_scanline < codec->output_height) {
        JSAMPROW rows[4];
        unsigned count = codec->output_height - codec->output_scanline;
        if (count > 4) count = 4;
        for (unsigned row = 0; row < count; row++) rows[row] = pixels + stride * (codec->output_scanline + row);
        if (jpeg_read_scanlines(codec, rows, count) == 0) return failed(decoder, 0);
    }
    // A missing end is ignored; an error on the way to it is not.
    decoder->is_finishing = 1;
    jpeg_finish_decompress(codec);
    return SEED_JPEG_DONE;
}

void seed_jpeg_finish(seed_jpeg_decoder *decoder) {
    if (!decoder->is_started) return;
    decoder->is_started = 0;
    if (setjmp(decoder->escape) == 0) jpeg_destroy_decompress(&decoder->codec);
}

const char *seed_jpeg_message(const seed_jpeg_decoder *decoder) { return decoder->message; }
