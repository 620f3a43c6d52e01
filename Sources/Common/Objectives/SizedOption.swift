/// An option for how many of something a method has that images fill, such as prototypes: of few images its default is less than what its paper has.
public struct SizedOption: Sendable {
    /// Without dashes.
    public let name: String
    /// Whether it is of the method's queue, which is a setting of make.
    public var isQueue: Bool { name == QueueState.size.name }
    /// What they are: "prototypes".
    let what: String
    let published: Int
    /// "a tenth", of the images.
    let share: String
    /// How many there are of so many images, where no number is asked for.
    let usual: @Sendable (Int) -> Int
    /// What becomes of more than there are images.
    let tooMany: String

    /// What a person should know of the number; nil for nothing.
    ///
    /// - Parameters:
    ///   - given: the number that was asked for.
    ///   - option: as it was, or can be, asked for: "--prototypes".
    public func remark(given: Int?, images: Int, as option: String) -> String? {
        let usual = usual(images)
        guard let given else { return usual < published ? "there are \(usual) \(what), \(share) of the \(images) images (\(option) takes another number)" : nil }
        return given > images ? "\(option) \(given) is more than the \(images) images: \(tooMany); take \(usual) or less" : nil
    }
}
