public struct PassedOver: Sendable { public var summary: String { "" } }
extension Dataset {
    public var files: [String] { archives.isEmpty || archives == [path] && samples.first.map { if case .file = $0.place { true } else { false } } == true ? samples.map { if case .file(let p) = $0.place { p } else { "" } } : archives }
    public func file(of index: Int) -> Int { switch samples[index].place { case .file: index; case .part(let a, _, _), .memory(let a, _): a } }
    public var passedOver: [PassedOver] { [] }
    public var splits: [String] { [] }
    public var split: String? { nil }
    public init(_ path: String, split: String) throws { try self.init(path) }
}
