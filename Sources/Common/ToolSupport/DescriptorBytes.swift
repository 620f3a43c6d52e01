import Platform

/// Reads a descriptor to its end.
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
}
