// Light or dark: what the host says, and the operating system only where no host speaks.

const DARK = '(prefers-color-scheme: dark)';

export function dark(): boolean {
  const { body, documentElement: page } = document;
  if (body.dataset.jpThemeLight !== undefined) {
    return body.dataset.jpThemeLight === 'false';
  }
  const code = body.dataset.vscodeThemeKind ?? [...body.classList].find(name => name.startsWith('vscode-'));
  if (code !== undefined) {
    return code !== 'vscode-light' && code !== 'vscode-high-contrast-light';
  }
  const said = page.getAttribute('theme') ?? page.dataset.theme ?? body.dataset.theme;
  if (said === 'dark' || said === 'light') {
    return said === 'dark';
  }
  return matchMedia(DARK).matches;
}

/** Keep the class light or dark of an element up to date until the signal says stop. */
export function followTheme(el: Element, signal: AbortSignal): void {
  const follow = (): void => {
    const isDark = dark();
    el.classList.toggle('dark', isDark);
    el.classList.toggle('light', !isDark);
  };
  const observer = new MutationObserver(follow);
  const what = { attributes: true, attributeFilter: ['class', 'theme', 'data-theme', 'data-jp-theme-light', 'data-vscode-theme-kind'] };
  observer.observe(document.body, what);
  observer.observe(document.documentElement, what);
  matchMedia(DARK).addEventListener('change', follow, { signal });
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  follow();
}
