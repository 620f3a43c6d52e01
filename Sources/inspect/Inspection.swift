import TensorStreams
import ToolSupport

/// Visits the documents of a file piece by piece: each piece is counted, shown or written. No tensor is in memory as a
/// whole.
struct Inspection: DocumentVisitor, ~Copyable {
    private let wanted: [String]
    private let check: Bool
    private var arrays: NumpyFolder?
    private var sheet: ContactSheet?
    /// The number of the current record; nil for a file of one document.
    var record: Int?
    /// The tensors to show of the document that was read last, in order.
    private(set) var tensors: [ShownTensor] = []
    private(set) var metadata: [String: String] = [:]
    /// The number of tensors of the document, shown or not.
    private(set) var tensorCount = 0
    private var places: [String: Int] = [:]

    /// - Parameters:
    ///   - wanted: the names of the tensors to show; all if empty.
    ///   - check: whether to show nothing.
    init(wanted: [String], check: Bool, arrays: consuming NumpyFolder?, sheet: ContactSheet?) {
        self.wanted = wanted
        self.check = check
        self.arrays = arrays
        self.sheet = sheet
    }

    mutating func begin(_ outline: DocumentOutline) throws {
        metadata = outline.metadata
        tensorCount = outline.tensors.count
        guard !check else { return }
        for name in wanted where !outline.tensors.contains(where: { $0.name == name }) {
            throw outline.failure("has no tensor '\(name)'; it has \(outline.tensors.isEmpty ? "no tensors" : listed(outline.names, quote: ""))")
        }
        tensors = outline.tensors.filter { wanted.isEmpty || wanted.contains($0.name) }.sorted { $0.name < $1.name }.map { ShownTensor(outline: $0) }
        places = Dictionary(tensors.enumerated().map { ($1.outline.name, $0) }) { first, _ in first }
        arrays?.begin(tensors.map(\.outline.name), record: record)
        try sheet?.begin(outline)
    }

    mutating func take(_ piece: Tensor, of tensor: TensorOutline, first: Int) throws {
        guard !check else { return }
        sheet?.take(piece, of: tensor)
        guard let place = places[tensor.name] else { return }
        tensors[place].statistics.add(piece)
        try arrays?.take(piece, of: tensor, first: first)
    }

    /// Writes the contact sheet, if one is wanted.
    func writeSheet(to path: String) throws { try sheet?.write(to: path) }
}

/// A tensor and its statistics.
struct ShownTensor {
    let outline: TensorOutline
    var statistics = TensorStatistics()
}
