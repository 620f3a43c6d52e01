import ToolSupport

/// STORE: the number of epochs of teacher rows that a run stores. A separate stage makes the file of each epoch, so the
/// teacher processes images only in these epochs.
struct Store {
    /// The number of epochs after which the views repeat, and with them the rows.
    let cycle: Int
    /// The number of stored epochs, at most that of the run.
    let epochs: Int
    /// Whether rows are rounded to half precision.
    let isHalf: Bool

    static let setting = "STORE"
    static let half = "STORE_HALF"

    static func stage(_ number: Int) -> String { "store.\(number)" }
    static func file(_ number: Int) -> String { "store/teacher.\(number).tensors.zst" }

    /// The number of the file with the rows of the student's epoch `epoch`; both count from 1.
    func number(of epoch: Int) -> Int { (epoch - 1) % cycle + 1 }

    /// What determines a student's epoch in addition to the inputs without a store.
    ///
    /// For views that occur for the first time, with rows in single precision, the result is the same as without a
    /// store.
    func decisive(_ epoch: Int) -> [String] { (epoch > cycle ? ["repeat", "\(cycle)"] : []) + precision }
    var precision: [String] { isHalf ? ["half"] : [] }

    /// Bytes of an image's rows of `width` values each, with the image's number and the hash of its views.
    func bytes(rows: Int, width: Int) -> Int { rows * width * (isHalf ? 2 : 4) + 16 }
}

extension RunSettings {
    /// Nil if nothing is stored.
    var store: Store? {
        guard let cycle = count(Store.setting) else { return nil }
        return Store(cycle: cycle, epochs: min(cycle, number("EPOCHS")), isHalf: !self[Store.half].isEmpty)
    }

    /// - Throws: ``Failure`` `usage`.
    func checkStore() throws {
        guard teacherOrigin == .none, !self[Store.setting].isEmpty else { return }
        throw Failure(.usage, "\(Store.setting)=\(self[Store.setting]) does not apply to METHOD=\(self["METHOD"]), which learns without a teacher", remedy: "clear it with \(Store.setting)=")
    }

    /// Remarks on the settings of the store.
    var storeRemarks: [String] {
        guard let store else { return self[Store.half].isEmpty ? [] : ["\(Store.half) has no effect without \(Store.setting)"] }
        guard store.cycle >= number("EPOCHS"), students.count == 1 else { return [] }
        return ["\(Store.setting)=\(store.cycle) keeps the embeddings of all \(store.epochs) epochs, none of which one student reads twice: it saves time only for further students (\(Student.setting)) and epochs"]
    }
}
