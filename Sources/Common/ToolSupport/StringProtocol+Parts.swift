extension StringProtocol {
    /// The parts between separators, at most `most`; empty ones are included.
    ///
    /// It splits scalars, as file names and their quoting require: a combining mark after a separator would form one
    /// character with it, as does a carriage return with a newline.
    public func parts(_ separator: Unicode.Scalar, most: Int = .max) -> [String] {
        unicodeScalars.split(separator: separator, maxSplits: most - 1, omittingEmptySubsequences: false).map { String(String.UnicodeScalarView($0)) }
    }

    /// The last non-empty component of a path.
    public var lastPathPart: String? { parts("/").last { !$0.isEmpty } }
}
