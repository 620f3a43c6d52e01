import Platform

/// Reads a descriptor to its end, or writes all of a buffer to it.
public enum DescriptorBytes {
    /// Passes the bytes of `descriptor` to `body`, in chunks of at most `chunk` bytes, until its end.
    ///
    /// - Returns: false, with `errno` set, after a read error.
    public static func forEach(_ descriptor: CInt, chunk size: Int, _ body: (ArraySlice<UInt8>) throws -> Void) rethrows -> Bool {
        var chunk = [UInt8](repeating: 0, count: size)
        while true {
            let count = unsafe read(descriptor, &chunk, size)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 }
            try body(chunk[..<count])
        }
    }

    /// Writes all of `bytes` despite short writes, and waits where the descriptor is non-blocking.
    ///
    /// - Returns: false, with `errno` set, after a write error.
    public static func write(_ bytes: RawSpan, to descriptor: CInt) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            var rest = unsafe buffer[...]
            while unsafe !rest.isEmpty {
                let count = unsafe Platform.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR || mayGoOn(descriptor, POLLOUT) { continue }
                guard count >= 0 else { return false }
                unsafe rest = unsafe rest.dropFirst(count)
            }
            return true
        }
    }
}
