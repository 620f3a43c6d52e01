import Platform
import TensorStreams
import ToolSupport

/// Writes a stream on its own thread: while one record is compressed and written, the next is made.
///
/// At most one record is queued, so that there are never more than two in memory.
final class WriteBehind {
    /// The state shared by the two threads.
    private struct Slot {
        /// Used by the thread while there is a record, and by the caller otherwise.
        let writer: StreamWriter
        var record: TensorDocument?
        var failure: (any Error)?
        var isLeft = false
    }

    private let slot: Monitor<Slot>
    private let thread: pthread_t

    init(_ path: String, header: StreamHeader, level: Int?) throws {
        let slot = Monitor(Slot(writer: try StreamWriter(path, header: header, level: level)))
        self.slot = slot
        thread = try startThread { WriteBehind.run(slot) }
    }

    deinit {
        slot.change { $0.isLeft = true }
        // The writer removes an unfinished file, which must happen before the tool ends.
        pthread_join(thread, nil)
    }

    /// Queues `record` once the previous one is written; throws the error of that write.
    func write(_ record: TensorDocument) throws { try whenFree { $0.record = record } }

    /// Waits for the last record and completes the stream.
    func commit() throws { try whenFree { try $0.writer.commit() } }

    private func whenFree(_ body: (inout Slot) throws -> Void) throws {
        try slot.change(when: { $0.record == nil }) { slot in
            if let failure = slot.failure { throw failure }
            try body(&slot)
        }
    }

    private static func run(_ slot: Monitor<Slot>) {
        while true {
            let now = slot.change(when: { $0.record != nil || $0.isLeft }) { $0 }
            guard !now.isLeft, let record = now.record else { return }
            var failure: (any Error)?
            do { try now.writer.write(record) } catch { failure = error }
            slot.change {
                $0.record = nil
                $0.failure = failure
            }
            if failure != nil { return }
        }
    }
}
