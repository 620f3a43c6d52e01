import CMPI
import CProcess
import Platform
public import Ranks
import Synchronization
import ToolSupport

/// The ranks started by `mpirun` or `srun`, connected by MPI.
///
/// A single thread makes all MPI calls. It waits by polling with increasing sleeps, since Debian's Open MPI makes no
/// progress in the background and its own wait occupies a whole core. While the thread waits or is idle (``idle()``),
/// every rank signals to the next one that it is alive (``Heartbeat``), because a launcher does not notice a
/// suspended rank or a broken link.
public final class World: Communicator, @unchecked Sendable {
    public let rank: Int
    public let count: Int
    private let world: MPI_Comm
    private var heartbeat: Heartbeat?
    /// The status with which all ranks are to end.
    private let aborting = Atomic<Int32>(World.none)

    /// Initialises MPI. All calls must come from the thread that makes this one.
    ///
    /// - Parameters:
    ///   - silence: seconds without a sign of another rank after which it is lost.
    ///   - lost: called with the reason, on the thread of the calls; returns the status with which all ranks end.
    /// - Throws: ``Failure`` `software` where MPI cannot start.
    public init(silence: Double = 20, lost: @escaping (String) -> Int32) throws {
        // Over TCP, Open MPI writes long messages into the receiver's memory, and the receiver's permission queues
        // behind data that flows in the other direction. Links used in both directions at once ran at half their
        // bandwidth.
        setenv("OMPI_MCA_btl_tcp_flags", World.sendAlone, 0)
        var provided: Int32 = 0
        guard MPI_Init_thread(nil, nil, Int32(MPI_THREAD_FUNNELED), &provided) == MPI_SUCCESS else {
            throw Failure(.software, "MPI does not start", remedy: "start it by mpirun, or by srun --mpi=pmix")
        }
        guard let world = seed_mpi_world() else { throw Failure(.software, "MPI has no world") }
        self.world = world
        MPI_Comm_set_errhandler(world, seed_mpi_errors_return())
        var (rank, count): (Int32, Int32) = (0, 1)
        MPI_Comm_rank(world, &rank)
        MPI_Comm_size(world, &count)
        (self.rank, self.count) = (Int(rank), Int(count))
        let hosts = try hosts()
        heartbeat = try Heartbeat(world, rank: self.rank, count: self.count, silence: silence) { [unowned self] rank in
            let status = lost("rank \(rank) on \(hosts[rank]) has not been heard from for \(Int(silence)) s: it was stopped, or its connection is cut")
            abort(status: status)
            end(status)
        }
    }

    /// The machine names of all ranks.
    private func hosts() throws -> [String] {
        let room = Int(MPI_MAX_PROCESSOR_NAME)
        var names = [CChar](repeating: 0, count: room * count), length: Int32 = 0
        return try names.withUnsafeMutableBufferPointer { names in
            guard let first = names.baseAddress else { return [] }
            try check(MPI_Get_processor_name(first + rank * room, &length), "name of the machine")
            try allGather(first, counts: [Int](repeating: room, count: count))
            return (0..<count).map { String(cString: first + $0 * room) }
        }
    }

    // MPI reads the lengths and offsets until a call completes.

    public func allGather(_ all: UnsafeMutableRawPointer, counts: [Int]) throws {
        var start = 0
        let layout = try counts.map(World.int) + counts.map { count in
            defer { start += count }
            return try World.int(start)
        }
        try layout.withUnsafeBufferPointer { layout in
            guard let lengths = layout.baseAddress else { return }
            var request = seed_mpi_no_request()
            try check(MPI_Iallgatherv(seed_mpi_in_place(), 0, seed_mpi_byte(), all, lengths, lengths + count, seed_mpi_byte(), world, &request), "gather")
            try wait(&request, "gather")
        }
    }

    public func exchange(
        _ values: UnsafePointer<Float>, _ outgoing: [Range<Int>], into received: UnsafeMutablePointer<Float>, _ incoming: [Range<Int>]
    ) throws {
        let layout = try [outgoing.map(\.count), outgoing.map(\.lowerBound), incoming.map(\.count), incoming.map(\.lowerBound)].joined().map(World.int)
        try layout.withUnsafeBufferPointer { layout in
            guard let layout = layout.baseAddress else { return }
            var request = seed_mpi_no_request()
            try check(
                MPI_Ialltoallv(
                    values, layout, layout + count, seed_mpi_float(), received, layout + 2 * count, layout + 3 * count, seed_mpi_float(), world, &request), "exchange")
            try wait(&request, "exchange")
        }
    }

    public func idle() {
        if case let status = aborting.load(ordering: .acquiring), status != World.none { end(status) }
        heartbeat?.beat()
    }

    /// Ends all ranks with `status`; may be called from any thread.
    ///
    /// The thread of the calls does so at its next check. If MPI hangs, this process ends nevertheless.
    public func abort(status: Int32) {
        aborting.store(status, ordering: .releasing)
        if let thread = try? startThread({
            sleep(World.patience)
            seed_end(status)
        }) { pthread_detach(thread) }
    }

    private func end(_ status: Int32) {
        heartbeat?.leave()
        MPI_Abort(world, status)
    }

    /// The longest pause between polls in seconds; it costs nothing on a link of 1 Gbit/s, a tenth at worst on one of
    /// 200 Mbit/s.
    private static let longestPause = 200e-6
    /// MCA_BTL_FLAGS_SEND in Open MPI's btl.h: no put, no get.
    private static let sendAlone = "1"
    /// The number of seconds that MPI may take to end all ranks.
    private static let patience: UInt32 = 5
    private static let none = Int32.min

    public func finish() throws {
        // A rank may still be busy, for example writing the checkpoint. Wait for it here with heartbeats, since
        // MPI_Finalize sends none.
        var request = seed_mpi_no_request()
        try check(MPI_Ibarrier(world, &request), "end")
        try wait(&request, "end")
        heartbeat?.finish()
        heartbeat = nil
        guard MPI_Finalize() == MPI_SUCCESS else { throw Failure(.io, "MPI does not shut down") }
    }

    /// Polls until the request is done: continuously at first, then with pauses of one sixteenth of the elapsed time.
    ///
    /// Polling takes processor time from computations: a poll every 50 µs slowed a single-threaded backward pass by a
    /// third.
    private func wait(_ request: inout MPI_Request?, _ what: String) throws {
        var done: Int32 = 0
        let start = Progress.now()
        while true {
            try check(seed_mpi_test(&request, &done), what)
            if done != 0 { return }
            idle()
            let pause = (Progress.now() - start) / 16
            if pause > 5e-6 { usleep(UInt32(1e6 * min(pause, World.longestPause))) }
        }
    }

    private func check(_ status: Int32, _ what: String) throws {
        guard status != MPI_SUCCESS else { return }
        var text = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING)), length: Int32 = 0
        MPI_Error_string(status, &text, &length)
        throw Failure(.io, "rank \(rank): MPI's \(what) fails: \(String(decoding: text.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self))", remedy: "the same command resumes from the last checkpoint")
    }

    private static func int(_ value: Int) throws -> Int32 {
        guard let value = Int32(exactly: value) else { throw Failure(.software, "\(value) is more than a call of MPI takes") }
        return value
    }
}
