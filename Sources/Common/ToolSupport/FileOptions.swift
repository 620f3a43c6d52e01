import ArgumentParser
import Platform

/// Checks that the files named by options can be used together; nil, an option not given, is valid.
///
///     try checkFiles(outputs: ["-o": output, "--timing": common.timing], inputs: ["--weights": weights, "the input": input])
///
/// No name may be empty. All outputs must be different files, and none may be an input, which would be lost before or
/// after it is read. Files are compared by device and inode, or by resolved path where they do not exist yet; `-` is
/// standard input or output.
///
/// - Parameter replaceable: inputs that the first output may replace.
public func checkFiles(
    outputs: KeyValuePairs<String, String?>, inputs: KeyValuePairs<String, String?> = [:], replaceable: Set<String> = []
) throws {
    var written: [(option: String, path: String, file: NamedFile)] = [], read = written
    for (option, path) in outputs {
        if let path { written.append((option, path, try NamedFile(path, option, standard: STDOUT_FILENO))) }
    }
    for (option, path) in inputs {
        if let path { read.append((option, path, try NamedFile(path, option, standard: STDIN_FILENO))) }
    }
    for (place, output) in written.enumerated() {
        for other in written[..<place] where output.file.isSame(as: other.file) {
            throw ValidationError("\(other.option) and \(output.option) are the same file, \(NamedFile.shown(output.path)); name another")
        }
        let mayReplace = place == 0 ? replaceable : []
        for input in read where input.file.isSame(as: output.file) && !mayReplace.contains(input.option) && input.path + output.path != "--" {
            throw ValidationError("\(output.option) would replace \(input.option), \(NamedFile.shown(output.path)); name another file")
        }
    }
    for (place, input) in read.enumerated() where input.path == OutputFile.standard {
        for other in read[..<place] where other.path == OutputFile.standard {
            throw ValidationError("\(other.option) and \(input.option) are both standard input; name a file")
        }
    }
}

/// The file that a path on the command line refers to.
private enum NamedFile {
    case existing(FileIdentity)
    /// A file that does not exist yet: its resolved folder, and its name.
    case new(String)
    case standard
    /// A device or a pipe, which may have any number of writers.
    case special

    init(_ path: String, _ option: String, standard descriptor: CInt) throws {
        if path.isEmpty { throw ValidationError("\(option) is empty; name a file") }
        let isStandard = path == OutputFile.standard
        var status = stat()
        let isThere = unsafe isStandard ? fstat(descriptor, &status) == 0 : stat(path, &status) == 0
        switch status.st_mode & S_IFMT {
        case _ where !isThere: self = isStandard ? .standard : .new(NamedFile.resolved(path))
        case S_IFREG, S_IFDIR: self = .existing(FileIdentity(device: status.st_dev, inode: status.st_ino))
        default: self = isStandard ? .standard : .special
        }
    }

    func isSame(as other: NamedFile) -> Bool {
        switch (self, other) {
        case (.existing(let a), .existing(let b)): a == b
        case (.new(let a), .new(let b)): a == b
        case (.standard, .standard): true
        default: false
        }
    }

    private static func resolved(_ path: String) -> String {
        let parts = path.parts("/").filter { !$0.isEmpty }
        let folder = (path.hasPrefix("/") ? "/" : "") + parts.dropLast().joined(separator: "/")
        let name = parts.last ?? ""
        guard let real = unsafe realpath(folder.isEmpty ? "." : folder, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real) + "/" + name
    }

    static func shown(_ path: String) -> String { path == OutputFile.standard ? "standard input or output" : "'\(path)'" }
}
