"""`make pictures`: run the lessons, store their outputs with PNG stills, and take README's screenshot.

Code hosts show a notebook without a kernel, and not all of them show SVG: hence a PNG beside each.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from playwright.sync_api import Browser, sync_playwright

from tests.browser.jupyter import FLAGS, LESSONS, chromium, close_notebook, open_notebook, running

SCALE = 1.5  # pixels of a PNG for each of the SVG's
WIDGET = "application/vnd.jupyter.widget-view+json"


def executed(path: Path) -> nbformat.NotebookNode:
    """The lesson with the outputs of a run in a fresh kernel, without what differs from run to run."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=60,
            kernel_name="python3",
            store_widget_state=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
            if output.output_type == "error":
                # What a notebook shows of our errors; without the colours of a traceback.
                output.traceback = [
                    line for line in output.traceback if "\x1b" not in line
                ] or output.traceback
    return notebook


def still(browser: Browser, svg: str) -> str:
    """The SVG as PNG, base64."""
    page = browser.new_page(viewport={"width": 900, "height": 600}, device_scale_factor=SCALE)
    page.set_content(f"<body style='margin:0'>{svg}</body>")
    data = page.locator("svg").first.screenshot(type="png")
    page.close()
    return base64.b64encode(data).decode()


def store(browser: Browser, path: Path) -> None:
    """Run one lesson and write it back with its outputs and PNGs."""
    notebook = executed(path)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/svg+xml" in data:
                data["image/png"] = still(browser, data["image/svg+xml"])
    nbformat.write(notebook, path)


SCREENSHOT = [
    "%load_ext natslab\n%natslab up\n"
    "%nats sub orders.eu.* --queue workers --as w1 -q\n%nats sub orders.eu.* --queue workers --as w2 -q\n"
    "%nats sub orders.eu.* --queue workers --as w3 -q\n%nats sub orders.> --as audit -q\n"
    "%nats sub orders.*.new --as billing -q\n%nats sub orders.us.* --as us-desk -q\n"
    "%nats sub orders.eu.paid --as eu-desk -q\n"
    "%nats pub orders.us.paid 'order 1' --as web -q",
    "%natslab view routing",
    "%nats pub orders.eu.new 'order 7' --as shop",
]


def screenshot(browser: Browser, target: Path) -> None:
    """The routing view in JupyterLab, as a person sees it."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as jupyter:
        jupyter.put("orders.ipynb", SCREENSHOT)
        notebook = open_notebook(browser, jupyter, "orders.ipynb", width=1240, scale=1.5)
        for i in range(len(SCREENSHOT)):
            notebook.run(i)
        stage = notebook.page.locator(".natslab.nl")
        stage.wait_for()
        stage.scroll_into_view_if_needed()
        notebook.page.wait_for_function(
            "() => document.querySelector(\".natslab [data-key='sentence']\")?.textContent.includes('eu.new')"
        )
        notebook.page.wait_for_timeout(1500)  # let the dots come to rest
        target.parent.mkdir(exist_ok=True)
        stage.screenshot(path=target)
        close_notebook(notebook)


WORKBENCH = [
    "%load_ext natslab\n%natslab up --servers 3",
    "%js stream add ORDERS --subjects 'orders.>' --replicas 3 --defaults -q\n"
    "%js consumer add ORDERS billing --pull --ack explicit --defaults -q\n"
    "%js kv add CONFIG --replicas 3 -q\n%nats sub 'orders.eu.>' --as audit -q",
    "%natslab view raft ORDERS --dock right",
    '%nats pub orders.eu.new "order {{Count}}" -J --count 12 --as shop -q',
    "%natslab cut --isolate leader(ORDERS)",
]


def workbench(browser: Browser, target: Path) -> None:
    """JupyterLab with the panel and a view beside the notebook."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as jupyter:
        jupyter.put("cluster.ipynb", WORKBENCH)
        notebook = open_notebook(browser, jupyter, "cluster.ipynb", width=1560, scale=1.25)
        notebook.page.set_viewport_size({"width": 1560, "height": 1060})
        notebook.command("natslab:open")
        for i in range(len(WORKBENCH)):
            notebook.run(i)
        view = notebook.page.locator(".natslab-docked")
        view.locator("[data-key='sentence']", has_text="Two servers say leader").wait_for(timeout=30_000)
        notebook.page.keyboard.press("l")  # not the slow motion of it
        notebook.page.wait_for_timeout(2500)  # let the dots come to rest
        target.parent.mkdir(exist_ok=True)
        notebook.page.screenshot(path=target)
        close_notebook(notebook)


def main() -> int:
    """Everything, or the lessons whose names begin with one of the arguments."""
    program = chromium()
    if program is None:
        print("There is no Chromium here: install it, or name it in NATSLAB_CHROMIUM.", file=sys.stderr)
        return 1
    wanted = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
        for path in sorted(LESSONS.glob("*.ipynb")):
            if not wanted or any(path.name.startswith(w) for w in wanted):
                store(browser, path)
                print(path.name)
        if not wanted or "screenshot" in wanted:
            screenshot(browser, LESSONS / "images" / "routing.png")
            print("images/routing.png")
        if not wanted or "workbench" in wanted:
            workbench(browser, LESSONS / "images" / "workbench.png")
            print("images/workbench.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
