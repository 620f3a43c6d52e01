import Platform

/// Reads a descriptor to its end, or writes all of some bytes to it.
public enum DescriptorBytes {
    /// Hands what `descriptor` gives to `body`, in pieces of at most `chunk` bytes, until it ends.
    ///
    /// - Returns: false, with `errno` set, where it cannot be read any further.
    public static func forEach(_ descriptor: CInt, chunk size: Int, _ body: (ArraySlice<UInt8>) throws -> Void) rethrows -> Bool {
        var chunk = [UInt8](repeating: 0, count: size)
        while true {
            let count = unsafe read(descriptor, &chunk, size)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 }
            try body(chunk[..<count])
        }
    }

    /// Writes all of `bytes`, however few the system takes at once, and waits where the descriptor does not block.
    ///
    /// - Returns: false, with `errno` set, where it cannot be written any further.
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
