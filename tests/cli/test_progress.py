"""Lines of a training on the console."""

from tfinv_cli.common import progress


def test_a_long_training_says_how_far_it_is_every_ten_seconds(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    lines = progress.TrainingLines("cnn", 600)
    lines.set_params({"epochs": 2, "steps": 3})
    lines.on_train_begin()
    for epoch in range(2):
        lines.on_epoch_begin(epoch)
        for step in range(3):
            now[0] += 4.0
            lines.on_train_batch_end(step, {"loss": 1.0, "accuracy": 0.5})
    lines.on_train_end({"loss": 1.0})
    assert capsys.readouterr().out.splitlines() == [
        "  cnn: 2 epochs of 600 images",
        "  cnn: epoch 1 of 2, step 3 of 3, accuracy 50.0 %",
        "  cnn: epoch 2 of 2, step 3 of 3, accuracy 50.0 %",
        "  cnn: trained in 24 s",
    ]
