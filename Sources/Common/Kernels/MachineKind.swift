import COpenBLAS

/// What the bits of results depend on besides the tools: for which processor OpenBLAS takes its kernels here, as it calls it.
public enum MachineKind {
    public static var name: String { openblas_get_corename().map { String(cString: $0) } ?? "unknown" }
}
