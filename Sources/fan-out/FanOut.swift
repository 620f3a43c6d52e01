import ArgumentParser
import Platform
import ToolSupport

@main
struct FanOut: Tool {
    static let configuration = CommandConfiguration(
        commandName: "fan-out",
        abstract: "Give one stream to several programs, byte for byte, and wait for all of them.",
        discussion: """
            Each '--' begins a command, whose standard input is the stream. The slowest command sets the pace, and no more of the stream is buffered than \
            the pipes hold. If one ends or is killed, the others still read to the end of the stream. fan-out exits with 0 if all commands did, otherwise \
            with the exit status of the first that did not, or with 65 if docs/tools.md does not list that status.

            Example: two students learn from one pass of the teacher:

              augment --data train.tar --size 64 --batch 64 --epoch 3 | embed --weights teacher.safetensors | fan-out \\
                -- train-step --student a.3.safetensors -o a.4.safetensors -- train-step --student b.3.safetensors -o b.4.safetensors

            See also: tap; make distill STUDENTS='resnet18 resnet50'
            """,
        version: productVersion)

    @Option(help: ArgumentHelp("Write each command's exit status to this file, as the shell reports it, one per line: 0, 65, 137.", valueName: "file")) var ended: String?
    @Argument(parsing: .postTerminator, help: ArgumentHelp("The commands, each after a '--'.", valueName: "command")) var words: [String] = []

    /// The words of each command.
    private var commands: [[String]] { words.split(separator: "--", omittingEmptySubsequences: false).map { Array($0) } }

    func validate() throws {
        if ended == OutputFile.standard { throw ValidationError("--ended takes a file, found '-'") }
        try checkFiles(outputs: ["--ended": ended], inputs: ["standard input": "-"])
        if commands.contains([]) { throw ValidationError(words.isEmpty ? "name the programs that read the stream: -- COMMAND, once or more" : "a command is empty; write it after its --") }
    }

    func run() throws {
        if let ended { try OutputFile.check(ended) }
        // When asked to stop, the programs may have something to save. The preceding stage has been asked too, and its
        // stream ends.
        StopRequest.watch()
        var branches: [Branch] = []
        var failure: Failure?
        do {
            for command in commands { branches.append(try Branch(command)) }
            try copy(to: &branches)
        } catch let wrong as Failure {
            failure = wrong
        }
        // The stream ends; each program ends by itself, because it has complete records or knows that it has not.
        for index in branches.indices { branches[index].close() }
        let statuses = branches.map { $0.wait() }
        if let failure { throw failure }
        if let ended {
            try OutputFile.write(statuses.map { "\(FanOut.exitStatus($0))\n" }.joined(), to: ended)
        }
        let failed = zip(branches, statuses).filter { $1 != 0 }
        for (branch, status) in failed.dropFirst() { FanOut.log(Failure(.data, path: branch.name, WaitStatus.words(status)).description) }
        if let (branch, status) = failed.first {
            throw Failure(Failure.Kind(rawValue: FanOut.exitStatus(status)) ?? .data, path: branch.name, WaitStatus.words(status))
        }
    }

    /// Copies standard input to its end, or until no program reads it any more.
    private func copy(to branches: inout [Branch]) throws {
        widenPipe(STDIN_FILENO)
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while branches.contains(where: \.isReading) {
            let count = unsafe read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR || mayGoOn(STDIN_FILENO, POLLIN) { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: "standard input", "cannot read") }
            guard count > 0 else { return }
            for index in branches.indices {
                try unsafe chunk.withUnsafeBytes { try unsafe branches[index].write(UnsafeRawBufferPointer(rebasing: $0[..<count]).bytes) }
            }
        }
    }

    /// The exit status in the shell's convention: 128 plus the number of a signal.
    private static func exitStatus(_ status: CInt) -> CInt {
        status == WaitStatus.unknown ? 255 : status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }
}
