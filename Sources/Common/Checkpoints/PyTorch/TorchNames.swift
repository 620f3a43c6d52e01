import TensorStreams
import ToolSupport

/// The names that a `torch.save` file may contain, and their meaning here.
///
/// The functions are those of `torch._utils` with which tensors are saved (PyTorch's `torch/_utils.py`,
/// `torch/serialization.py`). Other classes that occur in checkpoints, such as the options of a training, are
/// accepted but not inspected.
struct TorchNames: PickleNames {
    let path: String
    /// The element size in bytes of each storage in the pickle, by key.
    let storages = Storages()

    init(path: String) { self.path = path }

    final class Storages {
        fileprivate(set) var elementSizes: [String: Int] = [:]
    }

    /// The types of storages, and of `torch.float32` and similar names.
    private static let types: [String: DType] = [
        "FloatStorage": .f32, "DoubleStorage": .f64, "HalfStorage": .f16, "BFloat16Storage": .bf16, "LongStorage": .i64, "IntStorage": .i32,
        "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8, "BoolStorage": .bool,
        "float32": .f32, "float": .f32, "float64": .f64, "double": .f64, "float16": .f16, "half": .f16, "bfloat16": .bf16, "int64": .i64, "long": .i64,
        "int32": .i32, "int": .i32, "int16": .i16, "short": .i16, "int8": .i8, "uint8": .u8, "bool": .bool, "uint16": .u16, "uint32": .u32, "uint64": .u64,
    ]

    /// The name of the storage class for this type.
    static func storage(of dtype: DType) -> String? { types.first { $0.value == dtype && $0.key.hasSuffix("Storage") }?.key }

    /// Classes that may occur besides tensors: options, paths, NumPy scalars.
    private static let inert: Set<String> = [
        "argparse.Namespace", "collections.defaultdict", "collections.Counter", "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.PurePosixPath",
        "numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
        "numpy.ndarray", "_codecs.encode", "torch.device", "torch.Size", "torch.dtype", "builtins.set", "__builtin__.set", "builtins.list", "builtins.dict", "builtins.int",
        "builtins.slice", "datetime.datetime", "datetime.timedelta", "torch._C.Generator", "typing.Any", "enum.EnumMeta", "easydict.EasyDict", "addict.addict.Dict",
        "mmcv.utils.config.ConfigDict", "yacs.config.CfgNode",
    ]

    /// Packages of which all classes are accepted: options of a training, and the modules that lightly-train stores
    /// in its checkpoints besides their tensors.
    private static let inertPackages = ["omegaconf.", "lightly_train.", "torch.nn.modules.", "torchvision.models.", "timm.layers.", "timm.models."]

    func isInert(_ name: PickleName) -> Bool { Self.inert.contains(name.text) || Self.inertPackages.contains { name.module.hasPrefix($0) } }

    func persistent(_ identifier: PickleValue) throws -> PickleValue? {
        // In the older format the class of a module comes with its source, which is ignored.
        if let parts = identifier.elements, parts.count == 4, parts[0].string == "module", parts[1].name != nil { return parts[1] }
        guard let parts = identifier.elements, parts.count == 5 || parts.count == 6, parts[0].string == "storage", let type = parts[1].name, let count = parts[4].int,
            let key = parts[2].string ?? parts[2].int.map(String.init)
        else { return nil }
        guard count >= 0, count < 1 << 48 else { throw Failure(.data, path: path, "has a storage of \(count) elements") }
        let isUntyped = type.name == "UntypedStorage" || type.name == "_UntypedStorage"
        let dtype = Self.types[type.name]
        guard isUntyped || dtype != nil else {
            throw Failure(.data, path: path, "has numbers of the type \(type.text.printableLine(limit: 80)), which is not supported", remedy: "convert the tensors to float32")
        }
        storages.elementSizes[key] = dtype?.size ?? 1
        // In the legacy format a storage may be a part of another: its key, its start, its number of elements.
        if parts.count == 6, let view = parts[5].elements {
            guard view.count == 3, let start = view[1].int, let length = view[2].int, start >= 0, length >= 0, start <= count, length <= count - start else {
                throw Failure(.data, path: path, "has a storage that is no part of another")
            }
            return .storage(StorageReference(key: key, dtype: dtype, count: length, start: start))
        }
        return .storage(StorageReference(key: key, dtype: dtype, count: count))
    }

    func call(_ name: PickleName, _ arguments: [PickleValue], _ memory: PickleMemory) throws -> PickleValue? {
        switch name.text {
        case "collections.OrderedDict":
            let dictionary = memory.dictionary()
            // In protocols 0 and 1: a list of pairs.
            for pair in arguments.first?.elements ?? [] {
                guard let pair = pair.elements, pair.count == 2 else { throw Failure(.data, path: path, "has an ordered dictionary of no pairs") }
                dictionary.entries.append((pair[0], pair[1]))
            }
            return .dictionary(dictionary)
        case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
            guard arguments.count >= 4 else { return nil }
            return try tensor(arguments[0], nil, arguments[1], arguments[2], arguments[3])
        case "torch._utils._rebuild_tensor_v3":
            guard arguments.count >= 7 else { return nil }
            return try tensor(arguments[0], arguments[6], arguments[1], arguments[2], arguments[3])
        case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
            guard case .tensor? = arguments.first else { return nil }
            return arguments.first
        case "torch._tensor._rebuild_from_type_v2":
            // Calling itself would recurse without end.
            guard arguments.count >= 3, let function = arguments[0].name, function != name, let inner = arguments[2].elements else { return nil }
            return try call(function, inner, memory)
        default: return nil
        }
    }

    private func tensor(_ storage: PickleValue, _ type: PickleValue?, _ offset: PickleValue, _ shape: PickleValue, _ strides: PickleValue) throws -> PickleValue? {
        guard case .storage(let storage) = storage, let offset = offset.int, let sizes = shape.elements?.map(\.int), let steps = strides.elements?.map(\.int),
            !sizes.contains(nil), !steps.contains(nil)
        else { return nil }
        guard let dtype = type.flatMap({ $0.name.flatMap { Self.types[$0.name] } }) ?? storage.dtype else {
            throw Failure(.data, path: path, "has a tensor of a type that is not supported", remedy: "convert the tensors to float32")
        }
        return .tensor(TensorReference(storage: storage, dtype: dtype, offset: offset, shape: sizes.compactMap { $0 }, strides: steps.compactMap { $0 }))
    }
}
