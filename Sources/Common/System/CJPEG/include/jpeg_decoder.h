// libjpeg's decompressor for Swift, which can neither be left by longjmp nor see libjpeg's macros.
#pragma once

#include <stddef.h>

// Fills `buffer` with bytes from `offset` on and returns their number: 0 at the end, -1 on a read error.
typedef ptrdiff_t (*seed_jpeg_read)(void *context, unsigned char *buffer, size_t count, size_t offset);

enum seed_jpeg_status {
    SEED_JPEG_DONE,
    // The bytes end before the last pixel.
    SEED_JPEG_TRUNCATED,
    SEED_JPEG_BROKEN,
    SEED_JPEG_NO_MEMORY,
    SEED_JPEG_UNREADABLE,
};

// A decoder owns a buffer, and libjpeg's working memory from seed_jpeg_start to seed_jpeg_finish. NULL if there is no
// memory.
typedef struct seed_jpeg_decoder seed_jpeg_decoder;
seed_jpeg_decoder *seed_jpeg_create(void);
void seed_jpeg_destroy(seed_jpeg_decoder *decoder);

// Reads the header. `components` is 1, 3 or 4.
enum seed_jpeg_status seed_jpeg_start(
    seed_jpeg_decoder *decoder, seed_jpeg_read read, void *context, unsigned *width, unsigned *height, int *components);

// Decodes the image that seed_jpeg_start began: rows of 4 bytes per pixel, RGBX, or CMYK as stored for 4 components.
enum seed_jpeg_status seed_jpeg_decode(seed_jpeg_decoder *decoder, unsigned char *pixels);

// Ends what seed_jpeg_start began, whatever the outcome.
void seed_jpeg_finish(seed_jpeg_decoder *decoder);

// libjpeg's message for SEED_JPEG_BROKEN.
const char *seed_jpeg_message(const seed_jpeg_decoder *decoder);
