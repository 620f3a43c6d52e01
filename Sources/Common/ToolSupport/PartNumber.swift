/// One of several parts, written `2/4`: the second of four.
public struct PartNumber: Sendable, Equatable {
    /// The number of the part, from 1.
    public let number: Int
    public let count: Int

    /// Nil for invalid text, or more than 2²⁰ parts.
    public init?(_ text: some StringProtocol) {
        let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let number = numbers[0], let count = numbers[1], 1...1 << 20 ~= count, 1...count ~= number else { return nil }
        (self.number, self.count) = (number, count)
    }
}
