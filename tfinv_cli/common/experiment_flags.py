"""Flags of the published experiments; one that is not given takes the experiment's own value."""

from tfinv import catalogue
from tfinv.experiments.settings.robust_or_private import BUDGETS
from tfinv_cli.common import flags, forms
from tfinv_cli.common.training import schedule_flags

FLAGS = (
    flags.dataset(None),
    flags.DATA_DIR,
    flags.WORKDIR,
    flags.RESUME,
    flags.VERBOSE,
    *schedule_flags.definitions(has_defaults=False),
    flags.real("strength", None, "Lambda: factor of the reversed gradient."),
    flags.real("weight", None, "Share of the reconstruction loss."),
    flags.choice("bound", None, catalogue.REVERSAL_BOUNDS, "Bound that keeps the reversed loss from running away."),
    flags.real("ramp", None, "Part of the training over which lambda rises; 0 for none."),
    flags.whole("decoder_steps", None, "Steps of the decoder for one of the encoder.", 1),
    flags.whole("seed", None, "The first seed.", most=flags.MOST_SEED),
    flags.whole("seeds", None, "How many seeds: a training and an evaluation each.", 1),
    flags.workers(None),
    flags.SCHEDULER,
    flags.IMAGE_SIZE,
    flags.whole("train_limit", None, "Train on the first so many images only.", 1),
    flags.whole("limit", None, "Use the first so many test images only.", 1),
    flags.numbers("eps", None, "Budgets, as fractions of the bounds' width."),
    flags.whole("pgd_steps", None, "Steps of PGD.", 1),
    flags.whole("attack_limit", None, "Attack the first so many test images.", 1),
    flags.whole(
        "shadows", None, "Shadow models of each defence, on halves of the training images; each is a target.", 4
    ),
    flags.whole("attack_targets", None, "Attack so many of the shadows of each defence adversarially, too.", 1),
    flags.choice("budget", None, BUDGETS, "small for two cores, full for a GPU."),
    flags.text("plain_architecture", None, "A second network, trained as usual only."),
    flags.text(
        "robust_training", None, "Adversarial training, as --defense of `tfinv train`; a frontier's has {eps} in it."
    ),
    flags.whole("robust_epochs", None, "Passes of the adversarial training; otherwise the budget's.", 1),
    flags.attacks(None, "Attacks that measure robustness; a frontier's x is the last."),
    flags.choice("gradients", None, catalogue.GRADIENTS, flags.GRADIENTS_HELP),
    flags.numbers("robust_eps", None, "eps of a frontier's adversarial trainings."),
    flags.numbers("anti_weights", None, "Weights of a frontier's anti-adversarial trainings."),
    flags.text("anti_training", None, "A frontier's anti-adversarial training, with {weight} in it."),
    flags.text("reversal", None, "The destruction defence that a frontier combines with each training; '' for none."),
    flags.text("featured", None, "Class of which different samples are drawn side by side."),
    flags.LABELS,
    flags.path(
        "auxiliary", None, "Data set that the attackers have; otherwise the end of --dataset's own training split."
    ),
    flags.whole(
        "auxiliary_limit", None, "At most so many images for the attackers, less those that a victim learns from.", 1
    ),
    flags.forms("defenses", None, forms.DEFENCES, "Trainings to compare, as --defense of `tfinv train` takes them."),
    flags.texts(
        "methods", None, "Names of the inversions, one alone for a frontier; otherwise all.", example="projected,gmi"
    ),
    flags.forms(
        "than",
        None,
        forms.REFERENCE_DEFENCES,
        "Of the defenses those with which each of the others is compared; otherwise none.",
    ),
    flags.forms(
        "evaluators",
        None,
        forms.EVALUATOR,
        "ARCHITECTURE or ARCHITECTURE+TRAINING of each evaluator, such as cnn+adversarial.",
    ),
    flags.whole("samples", None, "Reconstructions a class, where the start is drawn.", 1),
    flags.whole("decoder_images", None, "Training images of the fresh decoders; 0 leaves them out."),
    flags.whole("decoder_epochs", None, "Epochs of the fresh decoders, at most.", 1),
    flags.whole("evaluator_epochs", None, "Training epochs of the evaluators.", 1),
    flags.whole(
        "steps", None, "Steps of the equal budget of miface, gradient and gmi; the others have numbers of their own.", 1
    ),
    flags.whole("most_steps", None, "Inversion steps at most, until convergence.", 1),
)
