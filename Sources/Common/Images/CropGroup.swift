import ToolSupport

/// The views of one size that are made of every image.
public struct CropGroup: Sendable, Equatable {
    public var views: Int
    /// The width and height of a view.
    public var size: Int
    /// The share of the image's area that a random crop covers; nil for the recipe's value.
    public var scale: ClosedRange<Double>?
    public var recipe: Recipe
    /// Whether the group names its own recipe.
    public var namesRecipe: Bool
    /// The number of views of the preceding groups.
    public var firstView: Int

    public static let viewLimit = 64
    public static let sizeLimit = 4096
    public static let groupLimit = 16

    public init(views: Int, size: Int, scale: ClosedRange<Double>? = nil, recipe: Recipe, namesRecipe: Bool = false, firstView: Int = 0) {
        (self.views, self.size, self.scale, self.recipe, self.namesRecipe, self.firstView) = (views, size, scale, recipe, namesRecipe, firstView)
    }

    /// The size in bytes of all views of one image.
    public var bytes: Int { views * size * size * 3 }

    /// View number `view` of the group. The group's own recipe starts with its first table; a shared recipe continues
    /// from the preceding groups.
    public func view(_ view: Int, width: Int, height: Int, seed: UInt64, epoch: Int, item: Int) -> View {
        recipe.view(
            width: width, height: height, size: size, scale: scale, table: namesRecipe ? view : firstView + view, seed: seed, epoch: epoch, item: item,
            view: firstView + view)
    }

    /// Parses groups such as `2x224@0.14-1 6x96@0.05-0.14:swav-small`: views, size, the crops' scale and the recipe;
    /// the last two are optional.
    ///
    /// - Parameters:
    ///   - recipe: the recipe of groups that name none.
    ///   - named: returns the recipe with a given name.
    /// - Throws: a ``Failure`` of kind `usage`.
    public static func groups(_ text: String, recipe: Recipe, named: (String) throws -> Recipe) throws -> [CropGroup] {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard !words.isEmpty else { throw malformed("nothing") }
        guard words.count <= groupLimit else { throw Failure(.usage, "--crops takes up to \(groupLimit) groups, found \(words.count)") }
        var groups: [CropGroup] = []
        for word in words {
            let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let crop = parts[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let sizes = crop[0].split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
            guard sizes.count == 2, let views = sizes[0], let size = sizes[1] else { throw malformed("'\(word)'") }
            let firstView = groups.reduce(0) { $0 + $1.views }
            guard views >= 1, views <= viewLimit - firstView else {
                throw Failure(.usage, "--crops takes 1 to \(viewLimit) views in all, found '\(word)'" + (firstView > 0 ? " after \(firstView)" : ""))
            }
            guard (1...sizeLimit).contains(size) else { throw Failure(.usage, "--crops takes sizes from 1 to \(sizeLimit), found '\(word)'") }
            var group = CropGroup(views: views, size: size, recipe: recipe, firstView: firstView)
            if crop.count == 2 {
                let ends = crop[1].split(separator: "-", omittingEmptySubsequences: false).map { Double($0) }
                guard ends.count == 2, let low = ends[0], let high = ends[1] else { throw malformed("'\(word)'") }
                guard low >= 1e-4, low <= high, high <= 1 else {
                    throw Failure(.usage, "--crops takes shares of an image from 0.0001 to 1, the smaller first, found '\(word)'")
                }
                group.scale = low...high
            }
            if parts.count == 2 { (group.recipe, group.namesRecipe) = (try named(parts[1]), true) }
            groups.append(group)
        }
        return groups
    }

    private static func malformed(_ found: String) -> Failure {
        Failure(.usage, "--crops takes groups such as '2x224@0.14-1 6x96@0.05-0.14' (views x size @ share of the image), found \(found)")
    }

    /// The text form of the group, which ``groups(_:recipe:named:)`` parses.
    public var text: String {
        var text = "\(views)x\(size)"
        if let scale { text += "@\(Recipe.Step.text(scale.lowerBound))-\(Recipe.Step.text(scale.upperBound))" }
        return namesRecipe ? text + ":\(recipe.name)" : text
    }
}
