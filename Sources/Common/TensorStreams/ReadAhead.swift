import Platform
import ToolSupport

/// Prefetches a stream on its own thread, so that decompression overlaps with work on the previous record.
public final class ReadAhead {
    public let name: String
    public let header: StreamHeader
    /// The number of the record last returned, from 0.
    public private(set) var recordIndex: Int
    /// The seconds that ``next()`` has waited.
    public private(set) var waited = 0.0
    /// Called with the seconds waited so far when a record takes much longer than any before, and again after intervals
    /// that double.
    public var tellWaiting: ((Double) -> Void)?
    /// The minimum wait in seconds before ``tellWaiting`` is called.
    public var patience = 60.0
    private var longest = 0.0
    private let queue = Monitor(WorkQueue())
    private var outcome: Result<Void, Failure>?

    /// Records above this size in bytes are prefetched only one at a time.
    private static let large = 128 << 20

    /// The state shared by the two threads.
    private struct WorkQueue {
        var items: [Result<TensorDocument?, Failure>] = []
        var isLeft = false
    }

    /// - Parameter depth: the number of records in the queue; each costs its size in memory.
    public init(_ reader: sending StreamReader, depth: Int = 2) {
        precondition(depth >= 1)
        name = reader.name
        header = reader.header
        recordIndex = reader.recordIndex
        // From here on, only the reading thread uses it.
        nonisolated(unsafe) let reader = reader
        do {
            let thread = try startThread { [queue] in unsafe ReadAhead.read(reader, to: queue, depth: depth) }
            pthread_detach(thread)
        } catch {
            queue.change { $0.items = [.failure(error as? Failure ?? Failure(.software, "\(error)"))] }
        }
    }

    /// The next record; nil after the last one, once the stream's end has been verified.
    public func next() throws -> TensorDocument? {
        if outcome == nil {
            let start = Progress.now()
            let item = taken(since: start)
            let time = Progress.now() - start
            waited += time
            longest = max(longest, time)
            switch item {
            case .success(let record?):
                recordIndex += 1
                return record
            case .success(nil): outcome = .success(())
            case .failure(let failure): outcome = .failure(failure)
            }
        }
        try outcome?.get()
        return nil
    }

    private func taken(since start: Double) -> Result<TensorDocument?, Failure> {
        var limit = max(patience, 5 * longest)
        while let tellWaiting {
            if let item = queue.change(within: limit, when: { !$0.items.isEmpty }, { $0.items.removeFirst() }) { return item }
            tellWaiting(Progress.now() - start)
            limit *= 2
        }
        return queue.change(when: { !$0.items.isEmpty }) { $0.items.removeFirst() }
    }

    /// Does not join the thread, which may be waiting for bytes that never come.
    deinit { queue.change { $0.isLeft = true } }

    private static func read(_ reader: StreamReader, to queue: Monitor<WorkQueue>, depth: Int) {
        var last = 0
        while true {
            // Only one large record is queued: the next is read when that one is taken.
            if last > large { queue.change(when: { $0.items.isEmpty || $0.isLeft }) { _ in } }
            let item: Result<TensorDocument?, Failure>
            do {
                let record = try reader.next()
                last = record?.tensors.values.reduce(0) { $0 + $1.byteCount } ?? 0
                item = .success(record)
            } catch {
                item = .failure(error as? Failure ?? Failure(.software, "\(error)"))
            }
            let isLeft = queue.change(when: { $0.items.count < depth || $0.isLeft }) {
                $0.items.append(item)
                return $0.isLeft
            }
            guard !isLeft, case .success(_?) = item else { return }
        }
    }
}
