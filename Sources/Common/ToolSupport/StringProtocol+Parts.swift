extension StringProtocol {
    /// The parts between separators, at most `most`; empty ones too.
    ///
    /// Cut at scalars, as names of files and what quotes them must be: a combining mark behind a separator would make one character of both, and so
    /// does a carriage return before a newline.
    public func parts(_ separator: Unicode.Scalar, most: Int = .max) -> [String] {
        unicodeScalars.split(separator: separator, maxSplits: most - 1, omittingEmptySubsequences: false).map { String(String.UnicodeScalarView($0)) }
    }

    /// The last part of a path that is not empty.
    public var lastPathPart: String? { parts("/").last { !$0.isEmpty } }
}
