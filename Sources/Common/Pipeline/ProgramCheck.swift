import Platform
import ToolSupport

/// Whether a command of the user's, which the shell is to run, can be one; otherwise that is found out after hours.
///
/// What is certain at a look is refused first, in the plainest words: what the shell itself cannot parse, and a first word that is plain and names no
/// program. Whatever a command with variables, lists or groups comes to, only running it tells.
struct ProgramCheck {
    let environment: StageEnvironment

    /// - Parameters:
    ///   - name: the command as messages name it.
    ///   - setting: where it was given.
    /// - Throws: ``Failure`` `usage`.
    func check(_ command: String, _ name: String, in setting: String) throws {
        func wrong(_ what: String, _ remedy: String) -> Failure { Failure(.usage, path: setting, "\(name): \(what)", remedy: remedy) }
        // The shell that will run it. A quote or a parenthesis that is not closed is no command for it.
        let (status, said) = try ChildProcess.run(["/bin/sh", "-n", "-c", command])
        guard status == 0 else { throw wrong("is no command of the shell: \(said)", "it is run as sh -c 'command'") }
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
        guard unsafe stat(path, &entry) == 0 else { throw wrong("\(path): \(unsafe String(cString: strerror(errno)))", "a path is one from where make is called") }
        guard entry.st_mode & S_IFMT == S_IFREG, unsafe access(path, X_OK) == 0 else {
            throw wrong("\(path) is no program that can be run", "make it executable, or name the program that runs it before it")
        }
    }

    /// Has `trial` start the program as the stages will.
    ///
    /// - Parameter variable: is `1` in the program's environment, which says that it is only tried.
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

    /// The word that the shell looks up as a program or as one of its own commands; nil where that is not certain.
    ///
    /// Of a list (`;`, `&`, `||`), a group or a substitution, a later part may well do without the first. A pipeline cannot.
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
