import Archives

/// What a file's name says about it, the same for every part of every path in folders and archives.
enum FileNames {
    /// Folders that systems make for themselves and do not hide with a dot.
    private static let systems = ["__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"].map { Array($0.utf8) }

    private static let images = [".jpg", ".jpeg", ".jpe", ".jfif"].map { Array($0.utf8) }

    private static let archives =
        [".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tar.lzma"].map { Array($0.utf8) }

    static func isHidden(_ part: ArraySlice<UInt8>) -> Bool { part.first == UInt8(ascii: ".") || systems.contains { part.elementsEqual($0) } }

    static func isImage(_ name: ArraySlice<UInt8>) -> Bool { ending(of: name, in: images) != nil }

    static func isArchive(_ name: ArraySlice<UInt8>) -> Bool { ending(of: name, in: archives) != nil }

    /// `train` of `train.tar.gz`.
    static func stem(ofArchive name: ArraySlice<UInt8>) -> ArraySlice<UInt8> { name.dropLast(ending(of: name, in: archives) ?? 0) }

    /// Whether any part of a path is.
    static func isHidden(_ path: BytePath) -> Bool { path.parts.contains(where: isHidden) }

    /// How long the longest of `endings` is that `name` has, in letters of either case.
    private static func ending(of name: ArraySlice<UInt8>, in endings: [[UInt8]]) -> Int? {
        endings.filter { ending in
            ending.count < name.count
                && zip(name.suffix(ending.count), ending).allSatisfy { ($0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 | 32 : $0) == $1 }
        }.map(\.count).max()
    }
}
