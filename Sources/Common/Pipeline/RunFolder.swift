import Archives
import Platform
import ToolSupport

/// The folder of one run, `RUNS/NAME`.
///
/// Only one process and its children work in it at a time. They share a lock on the file `lock`, which the system
/// releases when the last of them ends.
public struct RunFolder: Sendable {
    /// The path as the user would write it: `runs/scenes`.
    public let path: String

    /// - Throws: ``Failure`` `usage` for a NAME that cannot be a folder of its own.
    init(runs: String, name: String) throws {
        func wrong(_ what: String) -> Failure { Failure(.usage, "NAME=\(name): \(what)", remedy: "give the run a NAME of letters and digits") }
        guard !name.isEmpty else { throw wrong("is empty") }
        guard !name.utf8.contains(UInt8(ascii: "/")) else { throw wrong("contains a '/'") }
        guard !name.hasPrefix("."), !name.hasPrefix("-") else { throw wrong("begins with '\(name.prefix(1))'") }
        guard name.utf8.count <= 200 else { throw wrong("is longer than 200 bytes") }
        // Such characters would reach the terminal in every message about the run.
        guard name.printable == name else { throw wrong("contains a control character or an invisible one") }
        guard !runs.isEmpty else { throw Failure(.usage, "RUNS is empty", remedy: "name a folder, or leave it out") }
        guard runs.printable == runs else { throw Failure(.usage, "RUNS=\(runs): contains a control character or an invisible one", remedy: "name another folder") }
        path = runs + "/" + name
    }

    /// The default name of a run on `data`: the last path component up to its first dot.
    static func name(of data: String) -> String {
        guard !data.isEmpty else { return "demonstration" }
        var last = data.lastPathPart ?? ""
        if last.isEmpty || last == "." || last == "..", let whole = unsafe realpath(data, nil) {
            last = unsafe String(cString: whole).lastPathPart ?? ""
            unsafe free(whole)
        }
        let stem = last.unicodeScalars.prefix { $0 != "." }.filter { String($0).printable == String($0) }
        var name = String(String.UnicodeScalarView(stem))
        while name.utf8.count > 100 { name.removeLast() }
        return name.isEmpty || name.hasPrefix("-") ? "pictures" : name
    }

    func file(_ name: String) -> String { path + "/" + name }

    /// Whether the folder contains a run.
    var isRun: Bool { unsafe access(file(RunSettings.file), F_OK) == 0 }

    /// The runs in a folder, sorted.
    static func names(in runs: String) -> [String] {
        FolderNames.all(in: runs).filter { (try? RunFolder(runs: runs, name: $0))?.isRun == true }.sorted()
    }

    /// The folder itself, or its nearest existing parent.
    var existing: String {
        var parts = path.parts("/")[...]
        while !parts.isEmpty {
            let folder = parts.count == 1 && parts[parts.startIndex].isEmpty ? "/" : parts.joined(separator: "/")
            if unsafe access(folder, F_OK) == 0 || errno != ENOENT { return folder }
            parts.removeLast()
        }
        return "."
    }

    /// - Throws: ``Failure`` if the folder is not writable or cannot be created.
    func checkAccess() throws {
        let folder = existing
        var status = stat()
        if unsafe stat(folder, &status) == 0, !status.st_mode.isFolder {
            throw Failure(.cannotCreate, path: path, "\(folder == path ? "is" : "\(folder) is") a file, where a folder is needed", remedy: "move it, or give another NAME")
        }
        if unsafe access(folder, W_OK | X_OK) == 0 { return }
        throw Failure.errno(.cannotCreate, path: path, folder == path ? "cannot write there" : "cannot be created in \(folder)")
    }

    /// Creates the folder and its subfolders.
    func create() throws {
        let parts = path.parts("/")
        let above = parts.indices.map { parts[...$0].joined(separator: "/") }.filter { !$0.isEmpty }
        for folder in above + ["options", "done", "log", "features", "evaluation", "data"].map(file) { try RunFolder.make(folder) }
        try checkAccess()
    }

    /// Creates a further subfolder.
    func create(_ name: String) throws { try RunFolder.make(file(name)) }

    private static func make(_ folder: String) throws {
        guard unsafe mkdir(folder, 0o777) == 0 || errno == EEXIST else { throw Failure.errno(.cannotCreate, path: folder, "cannot create the folder") }
    }

    /// Opens the lock file for this process and its children.
    private func openLock() throws -> CInt {
        let name = file("lock"), descriptor = unsafe open(name, O_RDWR | O_CREAT | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: name, "cannot create it") }
        return descriptor
    }

    /// Waits until no other process works in the folder, and takes the lock. Child processes inherit it; it is held
    /// until the last of them ends.
    ///
    /// - Parameter say: receives the reason for waiting.
    /// - Returns: whether another process may have worked in the folder meanwhile.
    func lock(_ say: (String) -> Void) throws -> Bool {
        let name = file("lock"), descriptor = try openLock()
        // make replaces this process by exec and keeps its process number, so the mark stays valid.
        func note() {
            let owner = LockHolders.mark(of: getpid())
            ftruncate(descriptor, 0)
            _ = unsafe pwrite(descriptor, owner, owner.utf8.count, 0)
            unsafe setenv(LockHolders.variable, "\(descriptor) \(owner)", 1)
        }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
            note()
            return false
        }
        if RunFolder.hasNoLocks(errno) {
            say("\(name): \(RunFolder.noLocks)")
            close(descriptor)
            return false
        }
        // Nothing waits for the output of processes that a killed make has left behind.
        let left = LockHolders.leftBehind(by: descriptor)
        if !left.isEmpty {
            say("\(path): stopping \(left.map(\.words).joined(separator: ", ")), left behind by a make that was killed")
            for signal in [SIGTERM, SIGKILL] {
                for process in left { process.send(signal) }
                for _ in 0..<500 {
                    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
                        note()
                        return true
                    }
                    usleep(10_000)
                }
            }
        }
        let others = LockHolders.others(than: descriptor)
        if let above = others.first(where: LockHolders.isBelow) {
            throw Failure(
                .usage, path: name, "is held by \(above.words), which started this make, so make would wait forever",
                remedy: "leave it out; make locks the run itself")
        }
        let holder = others.isEmpty ? "another make is working on it" : "its lock is held by \(others.map(\.words).joined(separator: ", "))"
        say("\(path): \(holder); waiting until it has ended")
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Failure.errno(.io, path: name, "cannot lock it") }
        }
        note()
        return true
    }

    /// Waits until the only other processes in the folder are those that, like this one, only add files of their own.
    /// Child processes inherit the shared lock.
    func share(_ say: (String) -> Void) throws {
        let name = file("lock"), descriptor = try openLock()
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return }
        guard !RunFolder.hasNoLocks(errno) else { return say("\(name): \(RunFolder.noLocks)") }
        say("\(path): another make is working on it; waiting until it has ended")
        while flock(descriptor, LOCK_SH) != 0 {
            guard errno == EINTR else { throw Failure.errno(.io, path: name, "cannot lock it") }
        }
    }

    private static let noLocks = "its file system has no locks (flock), so make sure that only one make at a time works on the run"

    /// Whether the error means that the file system has no locks, as with some cluster mounts.
    private static func hasNoLocks(_ code: CInt) -> Bool { [ENOLCK, ENOSYS, EOPNOTSUPP].contains(code) }

    /// Calls `body` while no other process can work in the folder. If another process does, returns nil without calling
    /// it.
    func whileIdle<Result>(_ body: () throws -> Result) throws -> Result? {
        let name = file("lock")
        let descriptor = unsafe open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: name, "cannot open it") }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
        return try body()
    }

    /// Whether a process works in the folder; false if its file system has no locks.
    var isAtWork: Bool {
        let descriptor = unsafe open(file("lock"), O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    /// Unfinished files of tools, in the folder and its subfolders.
    var parts: [String] {
        ["", "features/", "evaluation/", "store/", "shards/", "log/", "tap/", "done/", "options/", "data/"].flatMap { subfolder in
            FolderNames.all(in: subfolder.isEmpty ? path : file(String(subfolder.dropLast()))).filter(RunFolder.isPart).sorted().map { file(subfolder + $0) }
        }
    }

    /// Whether a name has the form of unfinished files: `NAME.PID.part` or `NAME.PID.N.part`. Other programs use the
    /// suffix `.part` too.
    private static func isPart(_ name: String) -> Bool {
        let words = name.parts(".")
        guard words.count > 2, words.last == "part", let number = words.dropLast().last else { return false }
        return name.first != "." && !number.isEmpty && number.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// Makes `name` in the folder a symbolic link to `target`, unless it already is.
    func link(_ name: String, to target: String) throws {
        let link = file(name)
        var before = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = unsafe readlink(link, &before, before.count)
        if length >= 0, before.prefix(length).map({ UInt8(bitPattern: $0) }) == Array(target.utf8) { return }
        let part = "\(link).\(getpid()).part"
        unsafe unlink(part)
        guard unsafe symlink(target, part) == 0, unsafe rename(part, link) == 0 else {
            let failure = Failure.errno(.cannotCreate, path: link, "cannot create the link")
            unsafe unlink(part)
            throw failure
        }
    }

    /// The absolute path of `path`, with links resolved.
    static func resolved(_ path: String) throws -> String {
        guard let whole = unsafe realpath(path, nil) else { throw Failure.errno(.noInput, path: path, "cannot open it") }
        defer { unsafe free(whole) }
        return unsafe String(cString: whole)
    }
}
