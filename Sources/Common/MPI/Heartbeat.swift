import CMPI
import ToolSupport

/// Signals every second to the next rank that this one is alive, or finally that it ends, and receives the same from
/// the previous rank.
///
/// It uses its own communicator, so that its messages cannot be mixed up with others. A message is one byte, which is
/// sent immediately.
final class Heartbeat {
    private var own: MPI_Comm?
    private let next: Int32
    private let previous: Int32
    private let isAlone: Bool
    private let silence: Double
    private let lost: (Int) -> Void
    /// Three bytes: the regular message, the received message, and the final message.
    private let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: 3)
    private var sending = seed_mpi_no_request()
    private var receiving = seed_mpi_no_request()
    private var sent = 0.0
    private var heard: Double
    private var looked = 0.0
    /// Whether the previous rank has announced its end. In that case it reports the reason itself.
    private var isLeft = false

    private static let alive: UInt8 = 0, ending: UInt8 = 1

    /// Seconds between two messages, and between two checks.
    private static let interval = 1.0, glance = 0.1

    /// - Parameters:
    ///   - silence: seconds after which a rank is lost.
    ///   - lost: called with the lost rank.
    init(_ world: MPI_Comm, rank: Int, count: Int, silence: Double, lost: @escaping (Int) -> Void) throws {
        (self.silence, self.lost, isAlone) = (silence, lost, count == 1)
        (next, previous) = (Int32((rank + 1) % count), Int32((rank + count - 1) % count))
        heard = Progress.now()
        bytes.initialize(repeating: Heartbeat.alive, count: 3)
        bytes[2] = Heartbeat.ending
        guard !isAlone else { return }
        guard MPI_Comm_dup(world, &own) == MPI_SUCCESS, let own else { throw Failure(.io, "MPI cannot make a second communicator") }
        MPI_Comm_set_errhandler(own, seed_mpi_errors_return())
        receive()
    }

    deinit { bytes.deallocate() }

    /// Call it often; it usually only checks the clock and returns.
    func beat() {
        let now = Progress.now()
        guard !isAlone, now - looked >= Heartbeat.glance else { return }
        // If this whole process was suspended, the silence says nothing about other ranks.
        if now - looked > silence / 2, looked > 0 { heard = now }
        looked = now
        var done: Int32 = 0
        while seed_mpi_test(&receiving, &done) == MPI_SUCCESS, done != 0 {
            heard = now
            isLeft = isLeft || bytes[1] == Heartbeat.ending
            receive()
        }
        if now - sent >= Heartbeat.interval, seed_mpi_test(&sending, &done) == MPI_SUCCESS, done != 0 {
            MPI_Isend(bytes, 1, seed_mpi_byte(), next, 0, own, &sending)
            sent = now
        }
        if now - heard > silence, !isLeft { lost(Int(previous)) }
    }

    private func receive() { MPI_Irecv(bytes + 1, 1, seed_mpi_byte(), previous, 0, own, &receiving) }

    /// Announces that this rank ends all ranks.
    func leave() {
        guard !isAlone else { return }
        var request = seed_mpi_no_request()
        MPI_Isend(bytes + 2, 1, seed_mpi_byte(), next, 0, own, &request)
        isLeft = true
    }

    /// Stops receiving messages; call it once no rank can be lost any more.
    func finish() {
        guard !isAlone else { return }
        MPI_Cancel(&receiving)
        MPI_Request_free(&receiving)
    }
}
