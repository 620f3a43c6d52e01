import ArgumentParser
import Images
import TensorStreams
import ToolSupport

extension Augment {
    static var recipeNames: String { Recipe.all.map(\.name).joined(separator: ", ") }

    private static func recipe(_ name: String) throws -> Recipe {
        if Recipe.isFile(name) { return try RecipeFile.read(name) }
        guard let recipe = Recipe.named(name) else {
            throw Failure(
                .usage, "there is no recipe '\(name)'",
                remedy: Nearest.remedy(name, among: Recipe.all.map(\.name), list: "--recipe takes \(recipeNames), or a file such as ./mine.json"))
        }
        return recipe
    }

    /// The groups of views that are made of each image.
    func groups() throws -> [CropGroup] {
        // A recipe's file is read only once, because it may be a pipe.
        var known: [String: Recipe] = [:]
        func named(_ name: String) throws -> Recipe {
            if let recipe = known[name] { return recipe }
            let recipe = try Self.recipe(name)
            known[name] = recipe
            return recipe
        }
        let usual = try named(recipe)
        var groups: [CropGroup]
        if bags != nil {
            // The mix occupies a slot of the first group, but is not a view of its own.
            groups = [3, 2].map { CropGroup(views: $0, size: size ?? 224, scale: cropScale?.range, recipe: usual) }
            groups[1].firstView = groups[0].views
        } else if let crops {
            groups = try CropGroup.groups(crops, recipe: usual, named: named)
        } else {
            groups = [CropGroup(views: views ?? 1, size: size ?? 224, scale: cropScale?.range, recipe: usual)]
        }
        for (path, value) in try assignments() {
            for group in groups.indices { groups[group].recipe.separate(path, views: groups[group].views) }
            let taking = groups.indices.filter { groups[$0].recipe.parameters.contains(path) }
            // If no group has the parameter, the first reports the error with the available ones.
            for group in taking.isEmpty ? [0] : taking { try Self.set(path, value, of: &groups[group].recipe) }
        }
        // --crop-scale may be given to several augments, one of which makes evaluation views.
        for group in groups where crops != nil && group.scale != nil && group.recipe.tables.allSatisfy({ $0.crop.kind == .centre }) {
            throw Failure(.usage, "--crops: the recipe \(group.recipe.name) takes the centre of an image, not a share of it", remedy: "leave out the share after @")
        }
        return groups
    }

    private static func set(_ path: String, _ value: String, of recipe: inout Recipe) throws {
        do {
            try recipe.set(path, value)
        } catch let failure as Failure {
            throw Failure(.usage, "--set \(path)=\(value): \(failure.what)", remedy: failure.remedy)
        }
    }

    private func assignments() throws -> [(path: String, value: String)] {
        try set.map { text in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else { throw Failure(.usage, "--set takes PARAMETER=VALUE such as blur.probability=0.2, found '\(text)'") }
            return (parts[0], parts[1])
        }
    }

    /// The text that --show-recipe prints.
    func shownRecipe(_ name: String) throws -> String {
        var recipe = try Self.recipe(name)
        for (path, value) in try assignments() { try Self.set(path, value, of: &recipe) }
        return RecipeFile.text(recipe)
    }

    /// Checks the recipes and crops as far as possible without reading files.
    func checkCrops() throws {
        for (option, isGiven) in [("--views", views != nil), ("--size", size != nil), ("--crop-scale", cropScale != nil)] where isGiven && crops != nil {
            throw ValidationError("\(option) is for one group of views, and --crops sets it for each; leave it out")
        }
        // Files are read when the work begins.
        guard !recipeNames.contains(where: Recipe.isFile) else { return }
        do {
            if let showRecipe {
                _ = try shownRecipe(showRecipe)
            } else {
                try check(groups())
            }
        } catch let failure as Failure {
            throw ValidationError(failure.description)
        }
    }

    /// The recipes named by options.
    var recipeNames: [String] {
        if let showRecipe { return [showRecipe] }
        return [recipe] + (crops ?? "").split(whereSeparator: \.isWhitespace).compactMap(Recipe.named(inGroup:))
    }

    /// Checks that the views of a batch fit into a record, or those of an image into a sheet.
    func check(_ groups: [CropGroup]) throws {
        if preview != nil { return try Preview.check(groups) }
        let bytes = batch * groups.reduce(0) { $0 + $1.bytes }
        guard bytes <= Self.recordLimit else {
            throw Failure(.usage, "a record would have \(bytes) bytes, above the limit of \(Self.recordLimit)", remedy: "take a smaller --batch")
        }
    }

    /// The metadata of a header about the groups, with full recipes where a name is not enough.
    func describe(_ groups: [CropGroup]) -> [String: String] {
        var metadata = ["recipe": groups[0].recipe.name]
        if groups.count > 1 { metadata["crops"] = groups.map(\.text).joined(separator: " ") }
        var own: [Recipe] = []
        for group in groups where Recipe.named(group.recipe.name) != group.recipe && !own.contains(group.recipe) { own.append(group.recipe) }
        if !own.isEmpty { metadata["recipes"] = JSON.array(own.map(RecipeFile.json)).text }
        return metadata
    }
}
