import TensorStreams
import Networks
import Parallel
import ToolSupport

/// Measures workloads, each in its own process, alone or in turn with other programs.
public struct Bench {
    public struct Settings: Sendable {
        /// This program, which is started again for each measurement.
        public var program: [String]
        public var threads: Int
        /// The length of a turn: as many batches as take this long.
        public var seconds = 1.0
        /// The number of turns; the median counts.
        public var turns = 3
        /// The peers' program, as shell words; nil to measure alone.
        public var peers: String?
        /// The number of turns that each side takes, alternately.
        public var pairs = 4
        /// The file for the peers' messages.
        public var errors: String?

        public init(program: [String], threads: Int) {
            self.program = program
            self.threads = threads
        }
    }

    public let settings: Settings
    let steadiness: Steadiness
    let tell: (String) -> Void

    /// - Parameter tell: called with a description of each measurement.
    public init(_ settings: Settings, tell: @escaping (String) -> Void) {
        self.settings = settings
        self.tell = tell
        steadiness = Steadiness(threads: settings.threads)
    }

    /// A remark about the measurements, on one line; nil if there is none.
    public var note: String? { steadiness.note }

    /// The machine's peaks, with one thread and with all.
    public func machine() -> Machine {
        tell("the machine's peak")
        let threads = settings.threads
        let one = (MachinePeak.gigaflops(threads: 1), MachinePeak.gigabytes(threads: 1))
        let all = threads == 1 ? one : (MachinePeak.gigaflops(threads: threads), MachinePeak.gigabytes(threads: threads))
        return Machine(threads: threads, gigaflops: all.0, gigaflopsOfOne: one.0, gigabytes: all.1, gigabytesOfOne: one.1)
    }

    /// Measures our program with one thread and with all.
    public func measure(_ workload: Workload) throws -> Measurement {
        tell("\(workload.title), \(workload.network)")
        func seconds(_ process: MeasuredProcess) throws -> Double { try (0..<settings.turns).map { _ in try steadiness.steady(process.turn) }.median }
        let all = try own(workload, threads: settings.threads)
        let time = try seconds(all)
        var measurement = Measurement(workload: workload, threads: settings.threads, seconds: time, memory: try all.finish())
        measurement.secondsOfOne = settings.threads > 1 ? try seconds(own(workload, threads: 1)) : time
        return measurement
    }

    private func own(_ workload: Workload, threads: Int) throws -> MeasuredProcess { try turns(of: settings.program, workload, threads: threads) }

    /// Starts the `benchmark turn` of a build.
    func turns(of program: [String], _ workload: Workload, threads: Int) throws -> MeasuredProcess {
        try MeasuredProcess(
            "\(program.joined(separator: " ")) turn", program + ["turn"] + workload.arguments + ["--threads", "\(threads)", "--seconds", "\(settings.seconds)"])
    }

    // MARK: Peers

    private func words(_ peers: String, _ arguments: [String]) -> [String] { ["/bin/sh", "-c", "exec \(peers) \"$@\"", "peers"] + arguments }

    /// The versions of the peers, on one line.
    public func versions() throws -> String? {
        guard let peers = settings.peers else { return nil }
        return try MeasuredProcess.query("peers", words(peers, ["versions"]), errors: settings.errors, for: "versions").asString
    }

    /// Measures each mode of a peer briefly, and then ours in turn with the best: A B A B.
    ///
    /// A second mode that is nearly as fast takes turns too, since the brief measurement may pick the wrong one.
    public func compare(_ workload: Workload) throws -> Comparison? {
        guard let peers = settings.peers else { return nil }
        let own = try own(workload, threads: settings.threads)
        var trials: [Comparison.Trial] = []
        var kept: [(mode: PeerMode, process: MeasuredProcess, seconds: Double)] = []
        for mode in PeerMode.modes(workload.kind) {
            tell("\(workload.title), \(workload.network): \(mode.title)")
            do {
                let process = try MeasuredProcess(
                    mode.title,
                    words(
                        peers,
                        workload.arguments + ["--mode", mode.rawValue, "--threads", "\(settings.threads)", "--seconds", "\(settings.seconds)"]),
                    errors: settings.errors)
                kept.append((mode, process, try min(steadiness.steady(process.turn), steadiness.steady(process.turn))))
            } catch let failure as Failure {
                trials.append(.init(mode: mode, failure: failure.description))
                continue
            }
            // Keeps at most two, because they occupy memory.
            kept.sort { $0.seconds < $1.seconds }
            while kept.count > 2 || kept.count == 2 && kept[1].seconds > 1.25 * kept[0].seconds, let worst = kept.popLast() {
                trials.append(.init(mode: worst.mode, seconds: worst.seconds, memory: try worst.process.finish()))
            }
        }
        guard !kept.isEmpty else { return Comparison(workload: workload, best: nil, trials: trials) }
        tell("\(workload.title), \(workload.network): in turn with \(kept.map(\.mode.title).joined(separator: " and "))")
        var ours: [Double] = [], theirs = kept.map { _ in [Double]() }
        for _ in 0..<settings.pairs {
            ours.append(try steadiness.steady(own.turn))
            for (index, peer) in kept.enumerated() { theirs[index].append(try steadiness.steady(peer.process.turn)) }
        }
        for (index, peer) in kept.enumerated() {
            trials.append(.init(mode: peer.mode, seconds: theirs[index].median, memory: try peer.process.finish()))
        }
        let best = kept.indices.min { theirs[$0].median < theirs[$1].median } ?? 0
        return Comparison(
            workload: workload,
            best: .init(
                mode: kept[best].mode, ours: ours.median, theirs: theirs[best].median, ratios: zip(theirs[best], ours).map { $0 / $1 },
                memory: try own.finish()),
            trials: trials)
    }
}

extension [Double] {
    /// The median: the middle element, or the mean of the two in the middle.
    var median: Double {
        let sorted = sorted()
        guard !isEmpty else { return .nan }
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
