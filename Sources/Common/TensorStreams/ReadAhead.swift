import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads a stream on a thread of its own, so that decompressing goes on while the last record is worked on.
public final class ReadAhead {
    public let name: String
    public let header: StreamHeader
    /// The number of the record last returned, from 0.
    public private(set) var recordIndex: Int
    /// Seconds that ``next()`` has waited.
    public private(set) var waited = 0.0
    private let queue: Queue
    private var outcome: Result<Void, Failure>?

    /// - Parameter depth: records that may lie ready; each costs its size in memory.
    public init(_ reader: sending StreamReader, depth: Int = 2) {
        precondition(depth >= 1)
        name = reader.name
        header = reader.header
        recordIndex = reader.recordIndex
        queue = Queue(reader, depth: depth)
        queue.start()
    }

    /// The next record; nil after the last one, once the stream's end has been verified.
    public func next() throws -> TensorDocument? {
        if outcome == nil {
            let start = Progress.now()
            let item = queue.take()
            waited += Progress.now() - start
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

    deinit { queue.stop() }

    /// What the two threads share.
    @safe private final class Queue: @unchecked Sendable {
        typealias Item = Result<TensorDocument?, Failure>

        private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        private let depth: Int
        /// Only the reading thread's, once it runs.
        private let reader: StreamReader
        // Guarded by `lock`.
        private var items: [Item] = []
        private var stopped = false

        init(_ reader: StreamReader, depth: Int) {
            self.reader = reader
            self.depth = depth
            unsafe pthread_mutex_init(lock, nil)
            unsafe pthread_cond_init(changed, nil)
        }

        deinit {
            unsafe pthread_cond_destroy(changed)
            unsafe pthread_mutex_destroy(lock)
            unsafe changed.deallocate()
            unsafe lock.deallocate()
        }

        func start() {
            let box = unsafe Unmanaged.passRetained(self)
            var thread = pthread_t()
            let status = unsafe pthread_create(&thread, nil, { argument in
                if let argument = unsafe argument { unsafe Unmanaged<Queue>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, box.toOpaque())
            guard status == 0 else {
                unsafe box.release()
                items = [.failure(Failure(.io, "cannot start a thread: \(unsafe String(cString: strerror(status)))"))]
                return
            }
            pthread_detach(thread)
        }

        private func run() {
            while true {
                let item: Item
                do {
                    item = .success(try reader.next())
                } catch {
                    item = .failure(error as? Failure ?? Failure(.software, "\(error)"))
                }
                guard put(item), case .success(_?) = item else { return }
            }
        }

        /// False when nobody wants more.
        private func put(_ item: Item) -> Bool {
            unsafe pthread_mutex_lock(lock)
            defer { unsafe pthread_mutex_unlock(lock) }
            while items.count >= depth, !stopped { unsafe pthread_cond_wait(changed, lock) }
            items.append(item)
            unsafe pthread_cond_signal(changed)
            return !stopped
        }

        func take() -> Item {
            unsafe pthread_mutex_lock(lock)
            defer { unsafe pthread_mutex_unlock(lock) }
            while items.isEmpty { unsafe pthread_cond_wait(changed, lock) }
            unsafe pthread_cond_signal(changed)
            return items.removeFirst()
        }

        /// The thread may be waiting for bytes that never come, so it is not waited for.
        func stop() {
            unsafe pthread_mutex_lock(lock)
            stopped = true
            unsafe pthread_cond_broadcast(changed)
            unsafe pthread_mutex_unlock(lock)
        }
    }
}
