"""The proof of a file that a command has made, or the mark that it has none (``--no-verify``)."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from export.bundle import Bundle, update_file
from export.manifest import FileRecord, Manifest
from export.pictures import Pictures, choose_pictures
from export.proof import differences_folder, prove_file
from export.proof_table import pixel_lines, proof_table
from train.checkpoint import TrainedNetwork


@dataclass(frozen=True)
class Prover:
    """Holds new files against the PyTorch student."""

    trained: TrainedNetwork
    pictures: Pictures | None
    """None: nothing is compared, and files are entered as unverified."""
    worst: Path
    """Folder for pictures of differences."""

    @classmethod
    def of(cls, options: argparse.Namespace, trained: TrainedNetwork, root: Path) -> "Prover":
        """As the options of `add_proof_options` say, for files of the bundle ``root``."""
        chosen = None if options.no_verify else choose_pictures(options.images, options.masks, trained.config.data)
        return cls(trained, chosen, differences_folder(root))

    def prove(self, manifest: Manifest, role: str, path: Path, record: FileRecord) -> FileRecord:
        """The record with its proof, which is printed; without one after ``--no-verify``.

        Raises:
            BundleError: the file is not what PyTorch says.
            NotHere: it cannot be run on this machine.
        """
        if self.pictures is None:
            print(f"{path.name}: not verified: --no-verify")
            return record
        proven = prove_file(manifest, role, path, record, self.trained.network, self.pictures, self.worst)
        assert proven.accuracy is not None
        Console().print(proof_table({role: proven.accuracy}))
        print("".join(f"{line}\n" for line in pixel_lines(role, proven.accuracy)), end="")
        return proven

    def reuse(self, bundle: Bundle, role: str) -> FileRecord:
        """Keep a file that would come out the same; prove it, unless it is proven on these very pictures."""
        record, path = bundle.record(role), bundle.file(role)
        settled = self.settled(record)
        proof = ", and its proof" if settled and record.verified else ""
        print(f"{path.name}: nothing changed since it was made: reused{proof}")
        if settled:
            return record
        proven = self.prove(bundle.manifest, role, path, record)
        return update_file(bundle.root, role, record.sha256, lambda _: proven).files[role]

    def settled(self, record: FileRecord) -> bool:
        """Whether nothing is left to prove: the record has its proof on these very pictures, or none is asked for."""
        if self.pictures is None:
            return True
        return (
            record.verified and record.accuracy is not None and record.accuracy.images_sha256 == self.pictures.digest()
        )
