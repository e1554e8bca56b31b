"""The proof of a plan on the device that it is for: against the bundle's fp32 graph, without PyTorch."""

from pathlib import Path

from export.bundle import Bundle, BundleError, load_bundle, update_file
from export.manifest import DEFAULT_ROLE, Accuracy, FileRecord
from serve.engines.tensorrt import TensorRtEngine
from serve.parity import check_parity, samples


def prove_here(root: Path, role: str) -> None:
    """Run the plan and the fp32 graph on the bundle's samples, and enter into the manifest that they agree.

    A plan that is proven is not compared again: the server does so at each start.

    Raises:
        UserError: they do not agree, the plan does not run here, or there is nothing to hold it against.
    """
    bundle = load_bundle(root)
    record = bundle.record(role)
    if record.verified:
        print(f"{role}: proven before", flush=True)
        return
    _check_reference(bundle)
    engine = TensorRtEngine(bundle, role)
    try:
        agreement = check_parity(bundle, engine)
    finally:
        engine.close()
    accuracy = Accuracy(
        dataset=bundle.manifest.dataset,
        split="samples",
        images=len(samples(bundle)),
        reference="fp32 graph",
        runtime=engine.runtime,
        agreement=agreement,
    )

    def proven(found: FileRecord) -> FileRecord:
        return found.model_copy(update={"verified": True, "accuracy": accuracy})

    update_file(root, role, record.sha256, proven)
    print(
        f"{role}: agrees with the fp32 graph on {agreement:.5f} of the pixels of {accuracy.images} samples", flush=True
    )


def _check_reference(bundle: Bundle) -> None:
    if not bundle.record(DEFAULT_ROLE).verified:
        again = "where it was trained, `python -m export.verify BUNDLE`"
        raise BundleError(
            f"{bundle.root}: its fp32 graph is not proven itself, so no plan can be held against it: {again}"
        )
    if not samples(bundle):
        raise BundleError(f"{bundle.root}: has no samples to prove a plan on: export it again")
