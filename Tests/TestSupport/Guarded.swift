import Platform
public import Testing

/// Memory between two inaccessible pages: an access beyond its edge ends the process.
///
/// A page has thousands of bytes, so only one side can lie directly at such a page; the gap on the other side is filled
/// with a pattern that must not change.
public final class Guarded<Element: BitwiseCopyable>: @unchecked Sendable {
    public let count: Int
    public let pointer: UnsafeMutablePointer<Element>
    private let memory: UnsafeMutableRawPointer
    private let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    private let pages: Int

    public init(_ values: [Element], _ side: Side) {
        count = values.count
        let bytes = count * MemoryLayout<Element>.stride
        pages = (bytes + page - 1) / page
        guard let memory = mmap(nil, (pages + 2) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory != MAP_FAILED else {
            fatalError("out of memory: \(bytes) bytes wanted")
        }
        self.memory = memory
        let inside = memory + page
        memset(inside, GuardMark.byte, pages * page)
        pointer = (side == .end ? inside + pages * page - bytes : inside).bindMemory(to: Element.self, capacity: max(1, count))
        pointer.update(from: values, count: count)
        guard mprotect(memory, page, PROT_NONE) == 0, mprotect(inside + pages * page, page, PROT_NONE) == 0 else { fatalError("no guard") }
    }

    deinit { munmap(memory, (pages + 2) * page) }

    /// The written values. It is an issue if anything beside them was written.
    public func values(sourceLocation: SourceLocation = #_sourceLocation) -> [Element] {
        let inside = UnsafeRawBufferPointer(start: memory + page, count: pages * page)
        let first = UnsafeRawPointer(pointer) - UnsafeRawPointer(memory + page), last = first + count * MemoryLayout<Element>.stride
        let marked = (Array(inside[..<first]) + Array(inside[last...])).allSatisfy { $0 == UInt8(GuardMark.byte) }
        #expect(marked, "memory beside the output was written", sourceLocation: sourceLocation)
        return Array(UnsafeBufferPointer(start: pointer, count: count))
    }
}

/// Which side of the memory lies at an inaccessible page.
public enum Side: String, Codable, Sendable, CaseIterable { case beginning, end }

extension Guarded<Float> {
    /// Memory for outputs: NaN until it is written.
    public convenience init(_ count: Int, _ side: Side) { self.init([Float](repeating: .nan, count: count), side) }
}

private enum GuardMark { static let byte: Int32 = 0xA5 }
