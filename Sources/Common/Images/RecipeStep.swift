import ToolSupport

extension Recipe {
    /// A step of a recipe: its kind and the values of its parameters.
    public struct Step: Sendable, Equatable {
        public enum Kind: String, Sendable, CaseIterable {
            /// torchvision's `RandomResizedCrop`.
            case randomResized = "random-resized"
            /// BYOL's crop: one draw, clipped where it is wider or higher than the image.
            case clipped
            /// Resizes the shorter side to resize/of of the size, then takes the centre.
            case centre
            case flip
            /// `ColorJitter`.
            case jitter
            case grey
            /// A Gaussian with a standard deviation in pixels, independent of the size.
            case blur
            case solarise
            case posterise
            case equalise
            /// `RandAugment`, whose operations and magnitudes are in ``RandAugment``.
            case randAugment = "randaugment"

            public var isCrop: Bool { self == .randomResized || self == .clipped || self == .centre }
        }

        /// A parameter of a kind of step.
        public struct Parameter: Sendable {
            public let name: String
            public let bounds: ClosedRange<Double>
            /// Whether it takes a smallest and a largest value instead of one value.
            public let isRange: Bool
            public let isWhole: Bool
            fileprivate let usual: ClosedRange<Double>

            fileprivate init(_ name: String, _ usual: Double, in bounds: ClosedRange<Double>, isWhole: Bool = false) {
                (self.name, self.bounds, isRange, self.isWhole, self.usual) = (name, bounds, false, isWhole, usual...usual)
            }

            fileprivate init(_ name: String, _ usual: ClosedRange<Double>, within bounds: ClosedRange<Double>) {
                (self.name, self.bounds, isRange, isWhole, self.usual) = (name, bounds, true, false, usual)
            }

            /// "0 to 1", "two numbers from 0 to 64, the smaller first".
            public var takes: String {
                let bounds = "\(Step.text(bounds.lowerBound)) to \(Step.text(bounds.upperBound))"
                return isRange ? "two numbers from \(bounds), the smaller first" : (isWhole ? "a whole number from " : "") + bounds
            }
        }

        public let kind: Kind
        /// By the names of the kind's ``Kind/parameters``; a single number is stored as a range with equal ends.
        private var values: [String: ClosedRange<Double>]

        /// A step with the default values of its kind.
        public init(_ kind: Kind) {
            self.kind = kind
            values = Dictionary(uniqueKeysWithValues: kind.parameters.map { ($0.name, $0.usual) })
        }

        /// The value of a parameter; a single number gives a range with equal ends.
        ///
        /// - Precondition: the kind has the parameter.
        public func range(_ name: String) -> ClosedRange<Double> {
            guard let value = values[name] else { preconditionFailure("\(kind) has no \(name)") }
            return value
        }

        public func number(_ name: String) -> Double { range(name).lowerBound }
        public func whole(_ name: String) -> Int { Int(number(name)) }

        /// Sets a parameter to `numbers`: one, or two for a range.
        ///
        /// - Throws: a ``Failure`` of kind `usage` where the kind lacks the parameter or the value is not allowed.
        public mutating func set(_ name: String, _ numbers: [Double]) throws {
            guard let parameter = kind.parameters.first(where: { $0.name == name }) else {
                let names = kind.parameters.map(\.name)
                throw Failure(.usage, "\(kind.rawValue) has no '\(name)'", remedy: "it has \(names.isEmpty ? "no parameters" : names.joined(separator: ", "))")
            }
            guard numbers.count == (parameter.isRange ? 2 : 1), let low = numbers.first, let high = numbers.last, low <= high,
                numbers.allSatisfy({ parameter.bounds.contains($0) && (!parameter.isWhole || $0 == $0.rounded()) })
            else {
                let found = numbers.map { Step.text($0) }.joined(separator: ",")
                throw Failure(.usage, "\(kind.rawValue).\(name) takes \(parameter.takes), found \(found.isEmpty ? "nothing" : found)")
            }
            values[name] = low...high
        }

        /// Formats "0.2", and "1" rather than "1.0".
        public static func text(_ number: Double) -> String {
            let text = "\(number)"
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
    }
}

extension Recipe.Step.Kind {
    private typealias Parameter = Recipe.Step.Parameter
    private static let area: [Parameter] = [
        Parameter("scale", 0.08...1, within: 1e-4...1), Parameter("ratio", 3.0 / 4...4.0 / 3, within: 0.01...100),
    ]
    private static let table: [Recipe.Step.Kind: [Parameter]] = [
        .randomResized: area, .clipped: area,
        .centre: [Parameter("resize", 256, in: 1...4096, isWhole: true), Parameter("of", 224, in: 1...4096, isWhole: true)],
        .flip: [chance(0.5)],
        .jitter: [
            chance(0.8), Parameter("brightness", 0.4, in: 0...10), Parameter("contrast", 0.4, in: 0...10), Parameter("saturation", 0.4, in: 0...10),
            Parameter("hue", 0.1, in: 0...0.5),
        ],
        .grey: [chance(0.2)],
        .blur: [chance(0.5), Parameter("sigma", 0.1...2, within: 0...64)],
        .solarise: [chance(0.2), Parameter("threshold", 128, in: 0...256)],
        .posterise: [chance(0.2), Parameter("bits", 4, in: 1...8, isWhole: true)],
        .equalise: [chance(0.2)],
        .randAugment: [chance(1), Parameter("count", 2, in: 1...16, isWhole: true), Parameter("magnitude", 9, in: 0...Double(RandAugment.bins - 1), isWhole: true)],
    ]
    private static func chance(_ usual: Double) -> Parameter { Parameter("probability", usual, in: 0...1) }

    /// The parameters of a step of this kind, in display order.
    public var parameters: [Recipe.Step.Parameter] { Self.table[self] ?? [] }
}

extension Recipe {
    /// Sets every parameter `KIND.PARAMETER` of the recipe, or of only one of its tables, counted from 1:
    /// `2.KIND.PARAMETER`. `crop` stands for the crop of any kind, and `filter` is a parameter too.
    ///
    ///     try recipe.set("blur.probability", "0.2")
    ///     try recipe.set("crop.scale", "0.08,1")
    ///
    /// - Throws: a ``Failure`` of kind `usage` that names the existing parameters, or the allowed values.
    public mutating func set(_ path: String, _ value: String) throws {
        if path == "filter" {
            guard let filter = ResamplingFilter(rawValue: value) else {
                throw Failure(.usage, "filter takes \(ResamplingFilter.allCases.map(\.rawValue).joined(separator: " or ")), found '\(value)'")
            }
            self.filter = filter
            return
        }
        guard parameters.contains(path) else { throw Failure(.usage, "\(name) has no parameter '\(path)'", remedy: "it has \(parameters.joined(separator: ", "))") }
        var parts = path.split(separator: ".").map(String.init)
        let wanted = Int(parts[0]).map { parts.removeFirst(); return [$0 - 1] } ?? Array(tables.indices)
        let (kind, parameter) = (parts[0], parts[1])
        let numbers = value.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard numbers.count <= 2, let found = numbers.reduce([], { sum, next in sum.flatMap { sum in next.map { sum + [$0] } } }) else {
            throw Failure(.usage, "\(path) takes a number, or two separated by a comma, found '\(value)'")
        }
        for table in wanted {
            if kind == "crop" { try tables[table].crop.set(parameter, found) }
            for step in tables[table].steps.indices where tables[table].steps[step].kind.rawValue == kind { try tables[table].steps[step].set(parameter, found) }
        }
    }

    /// Gives each of `views` views its own table where `path`, such as `2.KIND.PARAMETER`, names one of them; by
    /// default the last table makes all later views.
    public mutating func separate(_ path: String, views: Int) {
        let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, let number = Int(parts[0]), (1...max(1, views)).contains(number), tables.count < views, let last = tables.last, parameters.contains(parts[1]) else { return }
        tables += [Table](repeating: last, count: views - tables.count)
    }

    /// The names that ``set(_:_:)`` accepts.
    public var parameters: [String] {
        func names(_ table: Table) -> [String] {
            table.crop.kind.parameters.map { "crop.\($0.name)" } + table.steps.flatMap { step in step.kind.parameters.map { "\(step.kind.rawValue).\($0.name)" } }
        }
        var all = ["filter"]
        for name in tables.flatMap(names) where !all.contains(name) { all.append(name) }
        if tables.count > 1 { for (number, table) in tables.enumerated() { all += names(table).map { "\(number + 1).\($0)" } } }
        return all
    }
}
