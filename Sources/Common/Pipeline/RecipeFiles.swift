import Images
import Platform
import ToolSupport

/// Recipe files in CROPS, such as `2x64:./mine.json`.
///
/// A run has a copy of each. A changed recipe is therefore a changed option, and the inputs of stages do not depend on
/// the folder in which make is called.
struct RecipeFiles {
    /// The lines of each file, by its name in the run's options folder.
    let files: [String: [String]]
    private let names: [String: String]
    /// The folder as seen by the stages.
    private static let folder = "options/"

    /// - Throws: ``Failure`` if a file does not exist, or is not a recipe, with augment's message.
    init(_ settings: RunSettings, folder: String, tools: String) throws {
        var files: [String: [String]] = [:], names: [String: String] = [:]
        for name in settings.studentCrops.recipes where Recipe.isFile(name) && names[name] == nil {
            let own = "recipe.\(names.count + 1).json", isRemembered = !settings.typed.contains(Crops.setting)
            // A run has a copy of a remembered recipe, even if the original is gone.
            let kept = "\(folder)/\(Self.folder)\(own)", isGone = unsafe access(name, F_OK) != 0 && access(kept, F_OK) == 0, file = isRemembered && isGone ? kept : name
            guard let bytes = try TextFile.bytes(file) else {
                throw Failure(.noInput, path: "\(Crops.setting): \(name)", "there is no such file", remedy: "relative paths start where make is called; augment --help lists the recipes that need no file")
            }
            let (status, said) = try ChildProcess.run(["\(tools)/augment", "--show-recipe", file])
            guard status == 0 else { throw Failure(.data, path: Crops.setting, said.isEmpty ? "\(name) is not a recipe" : said) }
            names[name] = own
            var text = String(decoding: bytes, as: UTF8.self)
            while text.last?.isNewline == true { text.removeLast() }
            files[own] = text.parts("\n")
        }
        (self.files, self.names) = (files, names)
    }

    /// Whether an option file is a recipe.
    static func isOne(_ file: String) -> Bool { file.hasPrefix("recipe.") && file.hasSuffix(".json") }

    /// The crop groups with recipe files replaced by the run's copies.
    func placed(_ crops: String) -> String {
        crops.split(whereSeparator: \.isWhitespace).map { word in
            guard let recipe = Recipe.named(inGroup: word), let own = names[recipe] else { return String(word) }
            return word.dropLast(recipe.count) + Self.folder + own
        }.joined(separator: " ")
    }

    /// The recipe files that options refer to.
    static func named(in words: [String]) -> [String] {
        ShellWords.value(of: "--crops", in: words)?.split(whereSeparator: \.isWhitespace).compactMap(Recipe.named(inGroup:)).filter { $0.hasPrefix(folder) }.map { String($0.dropFirst(folder.count)) } ?? []
    }
}
