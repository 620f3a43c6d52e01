/// An option that sets a count, such as that of prototypes, to be filled by images.
///
/// For small data sets its default is smaller than in the paper.
public struct SizedOption: Sendable {
    /// Without dashes.
    public let name: String
    /// Whether it sets the method's queue size, which is a setting of make.
    public var isQueue: Bool { name == QueueState.size.name }
    /// The counted items: "prototypes".
    let what: String
    let published: Int
    /// The default as a share of the images: "a tenth".
    let share: String
    /// The default count for a number of images.
    let usual: @Sendable (Int) -> Int
    /// The consequence of a count larger than the number of images.
    let tooMany: String

    /// A note for the user about the count; nil for none.
    ///
    /// - Parameters:
    ///   - given: the requested count.
    ///   - option: how the count was or can be requested: "--prototypes".
    public func remark(given: Int?, images: Int, as option: String) -> String? {
        let usual = usual(images)
        guard let given else { return usual < published ? "there are \(usual) \(what), \(share) of the \(images) images (\(option) sets another number)" : nil }
        return given > images ? "\(option) \(given) is more than the \(images) images: \(tooMany); take \(usual) or less" : nil
    }
}
