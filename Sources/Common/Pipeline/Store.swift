import ToolSupport

/// STORE: epochs of the teacher's rows that a run keeps, each in a file by a stage of its own, so that the teacher sees the images in these epochs only.
struct Store {
    /// After so many epochs the views come again, and with them the rows.
    let cycle: Int
    /// Epochs that are kept: no more than there are.
    let epochs: Int
    /// Whether rows are rounded to half precision.
    let isHalf: Bool

    static let setting = "STORE"
    static let half = "STORE_HALF"

    static func stage(_ number: Int) -> String { "store.\(number)" }
    static func file(_ number: Int) -> String { "store/teacher.\(number).tensors.zst" }

    /// The number of the file that has the rows of the student's epoch `epoch`, both from 1.
    func number(of epoch: Int) -> Int { (epoch - 1) % cycle + 1 }

    /// What decides an epoch of a student besides all that decides one without a store.
    ///
    /// Views that come for the first time, with rows in single precision, are nothing else than without a store.
    func decisive(_ epoch: Int) -> [String] { (epoch > cycle ? ["repeat", "\(cycle)"] : []) + precision }
    var precision: [String] { isHalf ? ["half"] : [] }

    /// Bytes of an image's rows, of `width` numbers each, with its number and the hash of its views.
    func bytes(rows: Int, width: Int) -> Int { rows * width * (isHalf ? 2 : 4) + 16 }
}

extension RunSettings {
    /// Nil where nothing is kept.
    var store: Store? {
        guard let cycle = count(Store.setting) else { return nil }
        return Store(cycle: cycle, epochs: min(cycle, number("EPOCHS")), isHalf: !self[Store.half].isEmpty)
    }

    /// - Throws: ``Failure`` `usage`.
    func checkStore() throws {
        guard teacherOrigin == .none, !self[Store.setting].isEmpty else { return }
        throw Failure(.usage, "\(Store.setting)=\(self[Store.setting]) is of no use to METHOD=\(self["METHOD"]), which learns without a teacher", remedy: "give \(Store.setting) with nothing behind its =")
    }

    /// What is odd about it.
    var storeRemarks: [String] {
        guard let store else { return self[Store.half].isEmpty ? [] : ["\(Store.half) is of no use without \(Store.setting)"] }
        guard store.cycle >= number("EPOCHS"), students.count == 1 else { return [] }
        return ["\(Store.setting)=\(store.cycle) keeps the embeddings of all \(store.epochs) epochs, of which one student reads none twice: it saves time for further students (\(Student.setting)) and epochs"]
    }
}
