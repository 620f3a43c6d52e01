import CZstd
import ToolSupport

/// Compresses documents, each into one zstd frame with its content size and a checksum.
@safe final class FrameWriter {
    private let context: OpaquePointer
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    /// The hash of every byte written.
    private(set) var hash = XXH64()

    init(level: Int) throws {
        guard ZSTD_minCLevel()...ZSTD_maxCLevel() ~= CInt(clamping: level) else {
            throw Failure(.usage, "compression levels go from \(ZSTD_minCLevel()) to \(ZSTD_maxCLevel()), found \(level)")
        }
        guard let context = unsafe ZSTD_createCCtx() else { throw Failure(.io, "there is no memory for zstd") }
        unsafe self.context = unsafe context
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CInt(level))
        _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit {
        unsafe buffer.deallocate()
        _ = unsafe ZSTD_freeCCtx(context)
    }

    /// Writes one frame and returns its compressed size.
    func write(_ document: Safetensors.Layout, to output: inout OutputFile) throws -> Int {
        let start = output.position
        _ = unsafe ZSTD_CCtx_reset(context, ZSTD_reset_session_only)
        _ = unsafe ZSTD_CCtx_setPledgedSrcSize(context, UInt64(document.byteCount))
        // The last piece is compressed together with the end of the frame.
        let pieces = document.tensors.filter { $0.outline.byteCount > 0 }
        try unsafe document.header.withUnsafeBytes { bytes in
            try unsafe compress(bytes, isLast: pieces.isEmpty, to: &output)
        }
        for (index, tensor) in pieces.enumerated() {
            try unsafe tensor.tensor().withBytes { bytes in
                try unsafe compress(bytes, isLast: index == pieces.count - 1, to: &output)
            }
        }
        return output.position - start
    }

    /// Writes a frame that stores `content`, below 256 bytes, uncompressed.
    ///
    /// Compressed data has bits without meaning, in which damage goes unnoticed; here every bit counts. This is for the
    /// last document, which no other checksum covers.
    func writeStored(_ content: [UInt8], to output: inout OutputFile) throws -> Int {
        precondition(content.count < 256)
        var hash = XXH64()
        unsafe content.withUnsafeBytes { unsafe hash.update($0) }
        var frame = FrameHeader.magic
        frame.append(0x24)  // content size in one byte, single segment, checksum
        frame.append(UInt8(content.count))
        frame += UInt32(content.count << 3 | 1).littleEndianBytes[..<3]  // the last block, stored
        frame += content
        frame += UInt32(truncatingIfNeeded: hash.value).littleEndianBytes
        try unsafe output.write(frame.span.bytes)
        return frame.count
    }

    private func compress(_ bytes: UnsafeRawBufferPointer, isLast: Bool, to output: inout OutputFile) throws {
        var input = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        while true {
            var piece = unsafe ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            let left = unsafe ZSTD_compressStream2(context, &piece, &input, isLast ? ZSTD_e_end : ZSTD_e_continue)
            guard ZSTD_isError(left) == 0 else {
                throw Failure(.software, path: output.name, "zstd: \(unsafe String(cString: ZSTD_getErrorName(left)))")
            }
            if unsafe piece.pos > 0 {
                let written = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<piece.pos])
                unsafe hash.update(written)
                try unsafe output.write(written.bytes)
            }
            if unsafe isLast ? left == 0 : input.pos == input.size { return }
        }
    }
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] {
        (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
    }
}
