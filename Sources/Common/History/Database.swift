import CSQLite
import ToolSupport

/// A SQLite file, with the operations that ``History`` needs.
@safe public final class Database {
    public enum Value: Equatable, Sendable {
        case null
        case integer(Int64)
        case number(Double)
        case text(String)
    }

    private let path: String
    private let handle: OpaquePointer

    /// - Throws: ``Failure``: `cannotCreate` if the file cannot be opened or created, `data` if it is not a database.
    public init(_ path: String) throws {
        self.path = path
        var handle: OpaquePointer?
        let status = unsafe sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil)
        guard let handle = unsafe handle, status == SQLITE_OK else {
            unsafe sqlite3_close(handle)
            throw Failure(.cannotCreate, path: path, "cannot be opened: \(unsafe String(cString: sqlite3_errstr(status)))")
        }
        unsafe self.handle = handle
        // Another process may be reading the file.
        unsafe sqlite3_busy_timeout(handle, 10_000)
    }

    deinit { unsafe sqlite3_close(handle) }

    /// Executes one statement.
    ///
    /// - Parameter values: the values of its question marks, in order.
    /// - Returns: the rows of the result.
    @discardableResult
    public func run(_ statement: String, _ values: [Value] = []) throws -> [[Value]] {
        var prepared: OpaquePointer?
        guard unsafe sqlite3_prepare_v2(handle, statement, -1, &prepared, nil) == SQLITE_OK, let prepared = unsafe prepared else { throw failure() }
        defer { unsafe sqlite3_finalize(prepared) }
        for (place, value) in values.enumerated() {
            let number = Int32(place + 1)
            let status = switch value {
            case .null: unsafe sqlite3_bind_null(prepared, number)
            case .integer(let value): unsafe sqlite3_bind_int64(prepared, number, value)
            case .number(let value): unsafe sqlite3_bind_double(prepared, number, value)
            case .text(let value): unsafe seed_sqlite_bind_text(prepared, number, value, Int32(value.utf8.count))
            }
            guard status == SQLITE_OK else { throw failure() }
        }
        var rows: [[Value]] = []
        while true {
            switch unsafe sqlite3_step(prepared) {
            case SQLITE_DONE: return rows
            case SQLITE_ROW: rows.append(unsafe (0..<sqlite3_column_count(prepared)).map { unsafe Database.value(prepared, $0) })
            default: throw failure()
            }
        }
    }

    /// Executes `body` as one transaction.
    func together<Result>(_ body: () throws -> Result) throws -> Result {
        try run("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            _ = try? run("ROLLBACK")
            throw error
        }
    }

    private static func value(_ row: OpaquePointer, _ column: Int32) -> Value {
        switch unsafe sqlite3_column_type(row, column) {
        case SQLITE_INTEGER: .integer(unsafe sqlite3_column_int64(row, column))
        case SQLITE_FLOAT: .number(unsafe sqlite3_column_double(row, column))
        case SQLITE_TEXT: unsafe sqlite3_column_text(row, column).map { unsafe .text(String(cString: $0)) } ?? .null
        default: .null
        }
    }

    private func failure() -> Failure {
        let code = unsafe sqlite3_errcode(handle) & 0xFF, what = unsafe String(cString: sqlite3_errmsg(handle))
        return switch code {
        case SQLITE_NOTADB, SQLITE_CORRUPT: Failure(.data, path: path, "is not an intact database: \(what)", remedy: "restore a backup, or move it away to start a new one")
        case SQLITE_FULL: Failure(.io, path: path, "has no space left: \(what)", remedy: "free some space; earlier results are kept")
        case SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_PERM: Failure(.cannotCreate, path: path, "cannot be written: \(what)")
        default: Failure(.io, path: path, "\(what) (SQLite \(code))")
        }
    }
}
