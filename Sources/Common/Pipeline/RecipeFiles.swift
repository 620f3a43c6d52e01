import Images
import Platform
import ToolSupport

/// Recipes in files that CROPS names, as `2x64:./mine.json`: a run has a copy of each, so that one that is changed is another option, and what stages read does not depend on where make is called.
struct RecipeFiles {
    /// By the names that they have in the run's folder of options, each with its lines.
    let files: [String: [String]]
    private let names: [String: String]
    /// The folder that stages know them in.
    private static let folder = "options/"

    /// - Throws: ``Failure`` where a file is not there, or is no recipe, in augment's words.
    init(_ settings: RunSettings, folder: String, tools: String) throws {
        var files: [String: [String]] = [:], names: [String: String] = [:]
        for name in settings.studentCrops.recipes where Recipe.isFile(name) && names[name] == nil {
            let own = "recipe.\(names.count + 1).json", isRemembered = !settings.typed.contains(Crops.setting)
            // A run that remembers one has it, wherever that has gone.
            let kept = "\(folder)/\(Self.folder)\(own)", isGone = unsafe access(name, F_OK) != 0 && access(kept, F_OK) == 0, file = isRemembered && isGone ? kept : name
            guard let bytes = try TextFile.bytes(file) else {
                throw Failure(.noInput, path: "\(Crops.setting): \(name)", "there is no such file", remedy: "paths are told from where make is called; a recipe without a file is named as augment --help has it")
            }
            let (status, said) = try ChildProcess.run(["\(tools)/augment", "--show-recipe", file])
            guard status == 0 else { throw Failure(.data, path: Crops.setting, said.isEmpty ? "\(name) is no recipe" : said) }
            names[name] = own
            var text = String(decoding: bytes, as: UTF8.self)
            while text.last?.isNewline == true { text.removeLast() }
            files[own] = text.parts("\n")
        }
        (self.files, self.names) = (files, names)
    }

    /// Whether a file of options is a recipe.
    static func isOne(_ file: String) -> Bool { file.hasPrefix("recipe.") && file.hasSuffix(".json") }

    /// Groups of crops with the run's own files in the place of those that a person named.
    func placed(_ crops: String) -> String {
        crops.split(whereSeparator: \.isWhitespace).map { word in
            guard let recipe = Recipe.named(inGroup: word), let own = names[recipe] else { return String(word) }
            return word.dropLast(recipe.count) + Self.folder + own
        }.joined(separator: " ")
    }

    /// The files that words of options name.
    static func named(in words: [String]) -> [String] {
        ShellWords.value(of: "--crops", in: words)?.split(whereSeparator: \.isWhitespace).compactMap(Recipe.named(inGroup:)).filter { $0.hasPrefix(folder) }.map { String($0.dropFirst(folder.count)) } ?? []
    }
}
