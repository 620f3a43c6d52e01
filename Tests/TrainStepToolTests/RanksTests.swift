import Foundation
import Platform
import TensorStreams
import TestSupport
import Testing

private let isMPIThere = Workplace.runs("command -v mpirun && train-step --check-options --mpi --student a -o b")

/// `train-step --mpi`: processes that train together, started by mpirun.
@Suite(.enabled(if: isMPIThere, "mpirun is not installed, or the tools were built without MPI"), .serialized)
struct RanksTests {
    private static let start = "mpirun --allow-run-as-root --oversubscribe --bind-to none"
    private static let shared = "--mca btl self,vader", sockets = "--mca btl self,tcp --mca btl_tcp_if_include lo"
    private static let step = "train-step --student begun --epochs 3 --schedule constant --learning-rate 0.05 --batch-groups"
    private static let images = "augment --data pictures/train --size 16 --batch 16 --drop-last --epoch 1 -q"

    /// A training run after its first epoch, and the result of its second epoch by one process.
    private func place(_ method: String = "", views: String = "", pause: String = "", groups: Int = 4) throws -> Workplace {
        let place = try Workplace.training()
        let embed = method.contains("--objective") ? "" : "embed --weights teacher -q |"
        try place.perform("""
            augment --data pictures/train --size 16 --batch 16 --drop-last \(views) -q | \(embed) train-step --student student --epochs 3 --schedule constant --learning-rate 0.05 \(method) -q -o begun
            \(Self.images) \(views) | \(embed) \(Self.step) \(groups) \(method) -q -o whole
            cat > rank <<'end'
            set -euo pipefail
            \(Self.images) \(views) --slice auto --slice-groups \(groups) --resume half | \(embed) \(pause) { echo $BASHPID > id.$OMPI_COMM_WORLD_RANK; exec \(Self.step) \(groups) \(method) --mpi "$@"; }
            end
            """)
        return place
    }

    /// The process ID of a rank's train-step.
    private func id(_ rank: Int, _ place: Workplace) throws -> pid_t { try #require(pid_t(try place.text("id.\(rank)").trimmingCharacters(in: .whitespacesAndNewlines))) }

    private static func ranks(_ count: Int, _ options: String = shared) -> String { "\(start) \(options) -n \(count) bash rank" }

    @Test(arguments: [
        ("", ""), ("--objective moco-v2 --queue-size 32", "--views 2"), ("--objective simclr", "--views 2"),
        ("--objective barlow-twins", "--views 2"), ("--objective byol", "--views 2"), ("--objective supervised-contrastive", "--views 2"),
    ])
    func `any number of ranks leaves the same bytes, over shared memory and over sockets`(_ method: String, _ views: String) throws {
        let place = try place(method, views: views)
        for (count, options) in [(1, Self.shared), (2, Self.sockets), (3, Self.shared), (4, Self.sockets)] {
            let run = try place.run("\(Self.ranks(count, options)) -q -o out < /dev/null && cmp out whole && rm out")
            #expect(run.status == 0, "\(count) ranks, \(method): \(run.error)")
        }
    }

    // Groups of two images; three of five ranks have two groups, the others one.
    @Test func `eight ranks, and five that share eight groups, leave the same bytes too`() throws {
        let place = try place(groups: 8)
        for count in [8, 5] { try place.perform("\(Self.ranks(count)) -q -o out < /dev/null; cmp out whole; rm out") }
    }

    // Each run stops after a different batch and resumes with a different number of ranks.
    @Test func `what is killed goes on, on another number of ranks, to the same bytes`() throws {
        let place = try place(pause: "(cat; while [ ! -e go ]; do sleep 0.01; done) |")
        for (number, count) in [3, 2, 4].enumerated() {
            let run = try place.start("\(Self.ranks(count)) --interim half --checkpoint-every 1 --rank-timeout 3 -q -o out < /dev/null")
            #expect(waitUntil(seconds: 60) { (try? place.document("half").metadata["interim_batch"]) == "5" })
            kill(try id(1, place), SIGKILL)
            #expect(run.wait() != 0 && !place.exists("out"), "\(number)")
            // As if it had been killed two batches earlier.
            try place.perform("rm half; mv half.before half")
        }
        try place.perform("touch go; \(Self.ranks(2)) --interim half -q -o out < /dev/null; cmp out whole")
    }

    @Test func `a rank that is stopped is told of, and all end`() throws {
        let place = try place(pause: "(cat; while [ ! -e go ]; do sleep 0.01; done) |")
        let run = try place.start("\(Self.ranks(3)) --interim half --checkpoint-every 1 --rank-timeout 2 -o out < /dev/null")
        #expect(waitUntil(seconds: 60) { (try? place.document("half").metadata["interim_batch"]) == "5" })
        let victim = try id(1, place)
        kill(victim, SIGSTOP)
        let status = run.wait(), said = try place.text(".error")
        kill(victim, SIGKILL)
        #expect(status == 74 && !place.exists("out"), "\(status)")
        let told = said.split(separator: "\n").filter { $0.contains("has not been heard from for 2 s: it was stopped, or its connection is cut; all ranks end, and the same command resumes from the last checkpoint") }
        #expect(told.count == 1, "\(said)")
        try place.perform("touch go; \(Self.ranks(4)) --interim half -q -o out < /dev/null; cmp out whole")
    }

    @Test func `asked to stop, all stop behind the same batch, and save it`() throws {
        let place = try place(pause: "(head -c 30000; while [ ! -e go ]; do sleep 0.01; done; cat) |")
        let run = try place.start("\(Self.ranks(2)) --interim half --log log.jsonl --log-interval 1 -o out < /dev/null")
        // A step involves both ranks, so the other one listens to the signal by then.
        #expect(waitUntil(seconds: 60) { (try? place.text("log.jsonl").isEmpty) == false })
        kill(try id(1, place), SIGTERM)
        usleep(100_000)
        try place.write("", to: "go")
        #expect(run.wait() != 0)
        let said = try place.text(".error")
        #expect(said.split(separator: "\n").count { $0.contains("half: stopped on request after batch ") } == 1, "\(said)")
        #expect(place.exists("half") && !place.exists("out"))
        try place.perform("\(Self.ranks(3)) --interim half -q -o out < /dev/null; cmp out whole")
    }

    @Test func `a rank that writes for longer than a silence may last is waited for`() throws {
        let place = try place()
        let run = try place.run("mkfifo pipe; (sleep 12; cat pipe > out) & \(Self.ranks(2)) --rank-timeout 5 -q -o pipe < /dev/null && wait $! && cmp out whole")
        #expect(run.status == 0, "\(run.error)")
    }

    // The first epoch, which reads the teacher's first rows before it learns.
    @Test func `asked to stop before the first batch, all stop, and nothing is learnt from a part of the teacher's rows`() throws {
        let place = try place(pause: "(head -c 20000; while [ ! -e go ]; do sleep 0.01; done; cat) |")
        try place.perform("""
            sed -i 's/--student begun/--student student/; s/--epoch 1/--epoch 0/' rank
            \(Self.images.replacingOccurrences(of: "--epoch 1", with: "--epoch 0")) | embed --weights teacher -q | \(Self.step.replacingOccurrences(of: "begun", with: "student")) 4 -q -o first
            """)
        let run = try place.start("\(Self.ranks(2)) --interim half -o out < /dev/null")
        #expect(waitUntil(seconds: 60) { place.exists("id.1") && place.exists("id.0") })
        #expect(waitUntil(seconds: 60) { [0, 1].allSatisfy { rank in (try? id(rank, place)).map { Workplace.catches(SIGUSR1, $0) } == true } })
        // By then both are reading the teacher's rows, although rank 0 may have started later.
        sleep(2)
        kill(try id(1, place), SIGTERM)
        usleep(200_000)
        try place.write("", to: "go")
        #expect(run.wait() != 0)
        let said = try place.text(".error")
        #expect(said.contains("half: stopped on request at the beginning of the epoch") && !place.exists("out") && !place.exists("half"), "\(said)")
        try place.perform("\(Self.ranks(3)) --interim half -q -o out < /dev/null; cmp out first")
    }

    @Test func `ranks that do not belong together are told, each with what differs`() throws {
        let place = try place()
        func failure(_ what: String, _ words: String..., count: Int = 2) throws {
            let run = try place.run("\(Self.ranks(count)) \(what) -o out < /dev/null")
            for word in words { #expect(run.error.contains(word), "\(what): \(run.error)") }
            #expect(run.lines.count { $0.hasPrefix("train-step: ") } <= 1, "\(run.error)")
            #expect(run.status != 0 && !place.exists("out"))
        }
        // With the same names and numbers.
        try place.perform("""
            cp rank rank.whole; mkdir 0 1; cp -r pictures teacher 0; cp -r pictures teacher 1; cp student 1/teacher
            sed -i 's/--data pictures/--data 0\\/pictures/; s/--weights teacher/--weights $OMPI_COMM_WORLD_RANK\\/teacher/' rank
            """)
        try failure("", "rank 1 has what its images, its teacher and its stored rows are known by '", "all ranks must be given the same")
        try place.perform("""
            sed -i 's/--data 0/--data $OMPI_COMM_WORLD_RANK/; s/--weights [^ ]*/--weights teacher/' rank
            all=$(find 1/pictures/train -type f | sort); cp "$(sed -n '$p' <<< "$all")" "$(sed -n 1p <<< "$all")"
            """)
        try failure("", "rank 1 has what its images, its teacher and its stored rows are known by '", "all ranks must be given the same")
        try place.perform("mv rank.whole rank")
        try place.perform("sed -i 's/\"$@\"/$@/; s/ --mpi/ --mpi --weight-decay 0.$OMPI_COMM_WORLD_RANK/' rank")
        try failure("", "rank 1 has the options", "--weight-decay 0.1", "all ranks must be given the same")
        try place.perform("sed -i 's/ --weight-decay [^ ]*//; s/--epoch 1/--epoch $((1 + OMPI_COMM_WORLD_RANK))/' rank")
        try failure("", "rank 1 has the stream", "all ranks must be given the same")
        try place.perform("sed -i 's/--epoch $((1 + OMPI_COMM_WORLD_RANK))/--epoch 1/' rank")
        try failure("", "5 ranks are more than the 4 groups of a batch (--slice-groups)", count: 5)
        try place.perform("sed -i 's/--slice auto --slice-groups 4//' rank")
        try failure("", "the stream has all of each batch where this rank needs part", "give augment --slice")
    }

    @Test func `what cannot be is said by one process alone`() throws {
        let place = try Workplace.training()
        try place.expectFailure("train-step --mpi --student student taught -o out", 64, "--mpi needs a process that mpirun or srun started, and neither started this one")
        try place.expectFailure("augment --data pictures/train --size 16 --batch 16 --slice 1/2 -o out", 64, "--slice needs all batches to be full; add --drop-last")
        try place.expectFailure("augment --data pictures/train --size 16 --batch 16 --drop-last --slice auto -o out", 64, "--slice auto reads the variables of mpirun or srun", "name the part, such as --slice 1/2")
        try place.expectFailure("augment --data pictures/train --size 16 --batch 4 --drop-last --slice 1/3 -o out", 64, "batches of 4 images are too small for 3 groups of at least two")
        try place.expectFailure(
            "augment --data pictures/train --size 16 --batch 16 --drop-last --slice 1/2 -q | embed --weights teacher -q | train-step --student student - -o out", 65, "the stream has only a part of each batch", "leave out augment's --slice")
    }
}
