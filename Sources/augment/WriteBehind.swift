import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Writes a stream on a thread of its own: while one record is compressed and written, the next is made.
///
/// At most one record is under way, so that there are never more than two in memory.
final class WriteBehind {
    private let desk: Desk
    private let thread: pthread_t

    init(_ path: String, header: StreamHeader, level: Int?) throws {
        let desk = Desk(try StreamWriter(path, header: header, level: level))
        let box = unsafe Unmanaged.passRetained(desk)
        var thread = pthread_t()
        let status = unsafe pthread_create(&thread, nil, { argument in
            if let argument = unsafe argument { unsafe Unmanaged<Desk>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
        }, box.toOpaque())
        guard status == 0 else {
            unsafe box.release()
            throw Failure(.io, "cannot start a thread: \(unsafe String(cString: strerror(status)))")
        }
        self.desk = desk
        self.thread = thread
    }

    deinit {
        desk.leave()
        // Its writer removes an unfinished file, which must have happened when the tool ends.
        pthread_join(thread, nil)
    }

    /// Hands over `record` once the one before is written; throws what went wrong with that.
    func write(_ record: TensorDocument) throws { try desk.put(record) }

    /// Waits for the last record and completes the stream.
    func commit() throws { try desk.finish() }

    /// What the two threads share.
    @safe private final class Desk: @unchecked Sendable {
        private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        // Guarded by `lock`; the writer is used by the thread while there is a record, and by the caller otherwise.
        private let writer: StreamWriter
        private var record: TensorDocument?
        private var failure: (any Error)?
        private var left = false

        init(_ writer: StreamWriter) {
            self.writer = writer
            unsafe pthread_mutex_init(lock, nil)
            unsafe pthread_cond_init(changed, nil)
        }

        deinit {
            unsafe pthread_cond_destroy(changed)
            unsafe pthread_mutex_destroy(lock)
            unsafe changed.deallocate()
            unsafe lock.deallocate()
        }

        func put(_ next: TensorDocument) throws {
            try whenFree {
                record = next
                unsafe pthread_cond_signal(changed)
            }
        }

        func finish() throws { try whenFree { try writer.commit() } }

        func leave() {
            unsafe pthread_mutex_lock(lock)
            left = true
            unsafe pthread_cond_broadcast(changed)
            unsafe pthread_mutex_unlock(lock)
        }

        private func whenFree(_ body: () throws -> Void) throws {
            unsafe pthread_mutex_lock(lock)
            defer { unsafe pthread_mutex_unlock(lock) }
            while record != nil { unsafe pthread_cond_wait(changed, lock) }
            if let failure { throw failure }
            try body()
        }

        func run() {
            while let next = take() {
                var outcome: (any Error)?
                do { try writer.write(next) } catch { outcome = error }
                unsafe pthread_mutex_lock(lock)
                record = nil
                failure = outcome
                unsafe pthread_cond_broadcast(changed)
                unsafe pthread_mutex_unlock(lock)
                if outcome != nil { return }
            }
        }

        private func take() -> TensorDocument? {
            unsafe pthread_mutex_lock(lock)
            defer { unsafe pthread_mutex_unlock(lock) }
            while record == nil, !left { unsafe pthread_cond_wait(changed, lock) }
            return left ? nil : record
        }
    }
}
