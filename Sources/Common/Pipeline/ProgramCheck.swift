import Platform
import ToolSupport

/// Checks a shell command of the user before the run starts. Without this, an error would appear only after hours.
///
/// Certain errors are rejected first, with the plainest message: a command that the shell cannot parse, or a plain
/// first word that is not a program. For commands with variables, lists or groups, only a test run can tell.
struct ProgramCheck {
    let environment: StageEnvironment

    /// - Parameters:
    ///   - name: the command's name in messages.
    ///   - setting: the setting with the command.
    /// - Throws: ``Failure`` `usage`.
    func check(_ command: String, _ name: String, in setting: String) throws {
        func wrong(_ what: String, _ remedy: String) -> Failure { Failure(.usage, path: setting, "\(name): \(what)", remedy: remedy) }
        // Use the shell that will run the command. It rejects unclosed quotes and parentheses.
        let (status, said) = try ChildProcess.run(["/bin/sh", "-n", "-c", command])
        guard status == 0 else { throw wrong("is not a valid shell command: \(said)", "it is run as sh -c 'command'") }
        guard let program = ProgramCheck.program(of: command) else { return }
        guard program.contains("/") else {
            let words = ["/bin/sh", "-c", "PATH=$0; cd \"$1\" && command -v -- \"$2\"", environment.path, environment.folder, program]
            guard try ChildProcess.run(words).status == 0 else {
                throw wrong("there is no program '\(program)' in the folders of PATH", "install it, or give its path")
            }
            return
        }
        let path = program.hasPrefix("/") ? program : "\(environment.folder)/\(program)"
        var entry = stat()
        guard unsafe stat(path, &entry) == 0 else { throw wrong("\(path): \(unsafe String(cString: strerror(errno)))", "relative paths start where make is called") }
        guard entry.st_mode & S_IFMT == S_IFREG, unsafe access(path, X_OK) == 0 else {
            throw wrong("\(path) is not an executable program", "make it executable, or put the program that runs it in front")
        }
    }

    /// Calls `trial`, which starts the program in the environment that stages have.
    ///
    /// - Parameter variable: an environment variable that is set to `1` for the program, to mark a trial.
    /// - Throws: ``Failure`` `usage`.
    func run<Result>(in setting: String, telling variable: String, _ trial: () throws -> Result) throws -> Result {
        unsafe setenv("PATH", environment.path, 1)
        unsafe setenv(ShellProgram.folderVariable, environment.folder, 1)
        unsafe setenv(variable, "1", 1)
        defer { unsafe unsetenv(variable) }
        do {
            return try trial()
        } catch let failure as Failure {
            throw Failure(.usage, path: setting, [failure.path, failure.location, failure.what].compactMap { $0 }.joined(separator: ": "), remedy: failure.remedy)
        }
    }

    /// The word that the shell looks up as a program or builtin; nil if this is not certain.
    ///
    /// In a list (`;`, `&`, `||`), a group or a substitution, a later part may work without the first. In a pipeline it
    /// cannot.
    private static func program(of command: String) -> String? {
        let scalars = Array(command.unicodeScalars)
        var quote: Unicode.Scalar?, index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            switch (scalar, quote) {
            case ("\\", nil), ("\\", "\""): index += 1
            case ("'", nil), ("\"", nil): quote = scalar
            case (let end, .some(let begin)) where end == begin: quote = nil
            case (";", nil), ("&", nil), ("(", nil), (")", nil), ("\n", nil), ("`", nil), ("`", "\""): return nil
            case ("|", nil): if index + 1 < scalars.count, scalars[index + 1] == "|" { return nil }
            case ("$", _) where quote != "'": if index + 1 < scalars.count, scalars[index + 1] == "(" { return nil }
            default: break
            }
            index += 1
        }
        let rest = scalars.drop { $0 == " " || $0 == "\t" }
        let word = rest.prefix { $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "_./+-".unicodeScalars.contains($0)) }
        let next = rest.dropFirst(word.count).first
        // Digits before a redirection are its descriptor.
        guard !word.isEmpty, next.map({ " \t|<>".unicodeScalars.contains($0) }) ?? true, !word.allSatisfy({ ("0"..."9").contains($0) }) else { return nil }
        return String(String.UnicodeScalarView(word))
    }
}
