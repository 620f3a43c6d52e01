import Images
import TensorStreams
import ToolSupport

/// Recipes as JSON.
///
///     {"name": "mine", "filter": "bilinear",
///      "views": [{"crop": {"kind": "random-resized", "scale": [0.2, 1]}, "steps": [{"kind": "flip"}, {"kind": "blur", "probability": 0.2}]}]}
///
/// A missing parameter has the default value of its kind.
enum RecipeFile {
    private static let byteLimit = 1 << 20
    private static let listLimit = 64

    /// - Throws: a ``Failure``: `noInput`, `io`, or `data` that says which view and step is wrong.
    static func read(_ path: String) throws -> Recipe {
        let bytes = try SmallFile.bytes(path, limit: byteLimit, of: "a recipe")
        do {
            return try recipe(try JSON(parsing: bytes), usualName: name(path))
        } catch var failure as Failure {
            failure.path = path
            throw failure
        }
    }

    /// "mine" for "recipes/mine.json".
    private static func name(_ path: String) -> String {
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return file.hasSuffix(".json") ? String(file.dropLast(5)) : file
    }

    private static func recipe(_ json: JSON, usualName: String) throws -> Recipe {
        try check(json, "a recipe", "", takes: ["name", "filter", "views"])
        let name = try string(json, "name", "") ?? usualName
        guard (1...100).contains(name.unicodeScalars.count), name.unicodeScalars.allSatisfy(\.isPrintable) else { throw failure("", "'name' takes 1 to 100 printable characters") }
        let filters = ResamplingFilter.allCases.map(\.rawValue)
        let filter = try string(json, "filter", "") ?? ResamplingFilter.bilinear.rawValue
        guard let filter = ResamplingFilter(rawValue: filter) else { throw failure("", "there is no filter '\(filter)'", "take \(filters.joined(separator: " or "))") }
        let views = try list(json, "views", "")
        guard !views.isEmpty else { throw failure("", "'views' is empty or left out", "give it an object with 'crop' and 'steps'") }
        return Recipe(name, filter: filter, try views.enumerated().map { try table($1, "view \($0 + 1)") })
    }

    private static func table(_ json: JSON, _ place: String) throws -> Recipe.Table {
        try check(json, "a view", place, takes: ["crop", "steps"])
        guard let crop = json["crop"] else { throw failure(place, "has no 'crop'", "give it one of kind \(kinds(crops: true))") }
        let steps = try list(json, "steps", place)
        return Recipe.Table(try step(crop, place + ", crop", isCrop: true), try steps.enumerated().map { try step($1, place + ", step \($0 + 1)", isCrop: false) })
    }

    private static func step(_ json: JSON, _ place: String, isCrop: Bool) throws -> Recipe.Step {
        guard let object = json.asObject else { throw failure(place, "is not an object") }
        guard let name = try string(json, "kind", place) else { throw failure(place, "has no 'kind'", "take one of \(kinds(crops: isCrop))") }
        guard let kind = Recipe.Step.Kind(rawValue: name), kind.isCrop == isCrop else {
            throw failure(place, "there is no kind of \(isCrop ? "crop" : "step") '\(name)'", "take one of \(kinds(crops: isCrop))")
        }
        var step = Recipe.Step(kind)
        for member in object where member.key != "kind" {
            let numbers = member.value.asNumber.map { [$0] } ?? member.value.asArray?.compactMap(\.asNumber)
            guard let numbers, numbers.count == member.value.asArray?.count ?? 1 else { throw failure(place, "'\(member.key)' is neither a number nor a list of numbers") }
            do {
                try step.set(member.key, numbers)
            } catch let wrong as Failure {
                throw failure(place, wrong.what, wrong.remedy)
            }
        }
        return step
    }

    private static func kinds(crops: Bool) -> String { Recipe.Step.Kind.allCases.filter { $0.isCrop == crops }.map(\.rawValue).joined(separator: ", ") }

    private static func check(_ json: JSON, _ what: String, _ place: String, takes names: [String]) throws {
        guard let object = json.asObject else { throw failure(place, "is not an object, as \(what) must be") }
        if let other = object.first(where: { !names.contains($0.key) }) {
            throw failure(place, "\(what) has no '\(other.key)'", "it has \(names.joined(separator: ", "))")
        }
    }

    private static func string(_ json: JSON, _ key: String, _ place: String) throws -> String? {
        guard let value = json[key] else { return nil }
        guard let text = value.asString else { throw failure(place, "'\(key)' is not a string") }
        return text
    }

    private static func list(_ json: JSON, _ key: String, _ place: String) throws -> [JSON] {
        guard let value = json[key] else { return [] }
        guard let list = value.asArray, list.count <= listLimit else { throw failure(place, "'\(key)' is not a list of up to \(listLimit)") }
        return list
    }

    private static func failure(_ place: String, _ what: String, _ remedy: String? = nil) -> Failure {
        Failure(.data, location: place.isEmpty ? nil : place, what, remedy: remedy)
    }

    // Conversion to JSON.

    /// The recipe with all its values. ``read(_:)`` of it gives an equal recipe.
    static func json(_ recipe: Recipe) -> JSON {
        ["name": .string(recipe.name), "filter": .string(recipe.filter.rawValue), "views": .array(recipe.tables.map { table in
            ["crop": json(table.crop), "steps": .array(table.steps.map(json))]
        })]
    }

    private static func json(_ step: Recipe.Step) -> JSON {
        var object: JSON.Object = ["kind": .string(step.kind.rawValue)]
        for parameter in step.kind.parameters {
            let range = step.range(parameter.name)
            object[parameter.name] = parameter.isRange ? .array([number(range.lowerBound), number(range.upperBound)]) : number(range.lowerBound)
        }
        return .object(object)
    }

    private static func number(_ value: Double) -> JSON { value == value.rounded() ? .integer(Int64(value)) : .number(value) }

    /// The same as indented text, with one line per step.
    static func text(_ recipe: Recipe) -> String {
        let views = recipe.tables.map { table in
            let steps = table.steps.isEmpty ? "[]" : "[\n" + table.steps.map { "        " + json($0).text }.joined(separator: ",\n") + "\n      ]"
            return "    {\n      \"crop\": \(json(table.crop).text),\n      \"steps\": \(steps)\n    }"
        }
        let name = JSON.string(recipe.name).text, filter = JSON.string(recipe.filter.rawValue).text
        return "{\n  \"name\": \(name),\n  \"filter\": \(filter),\n  \"views\": [\n\(views.joined(separator: ",\n"))\n  ]\n}\n"
    }
}
