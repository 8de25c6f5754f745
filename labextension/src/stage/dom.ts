// Small helpers over the DOM. Foreign text only ever becomes a text node or an attribute's value.

const SVG = 'http://www.w3.org/2000/svg';

type Attrs = Record<string, string | number | boolean | undefined>;

function fill<E extends Element>(el: E, attrs: Attrs, children: (Node | string)[]): E {
  for (const [name, value] of Object.entries(attrs)) {
    if (value !== undefined && value !== false) {
      el.setAttribute(name, value === true ? '' : String(value));
    }
  }
  el.append(...children);
  return el;
}

/** An HTML element; strings among the children become text nodes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attrs: Attrs = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(name), attrs, children);
}

/** An SVG element. */
export function s<K extends keyof SVGElementTagNameMap>(
  name: K,
  attrs: Attrs = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS(SVG, name), attrs, children);
}

/** A small line drawing, in the colours of its surroundings. */
export function icon(d: string, size: number, attrs: Attrs = {}): SVGSVGElement {
  return s(
    'svg',
    { viewBox: `0 0 ${size} ${size}`, class: 'nl-icon', 'aria-hidden': 'true', focusable: 'false' },
    s('path', { d, 'stroke-width': 1.5, class: 'nl-stroke', ...attrs })
  );
}

/** Call `chosen` with the number of each button with `data-act` that is clicked inside `el`, now or later. */
export function onAct(el: HTMLElement, signal: AbortSignal, chosen: (i: number) => void): void {
  el.addEventListener(
    'click',
    event => {
      const button = (event.target as Element).closest<HTMLElement>('[data-act]');
      if (button) {
        chosen(Number(button.dataset.act));
      }
    },
    { signal }
  );
}

/** The click that ends a drag opens nothing. */
export function swallowClick(el: Element, signal: AbortSignal): void {
  const stop = (event: Event): void => {
    event.stopPropagation();
    event.preventDefault();
  };
  el.addEventListener('click', stop, { capture: true, once: true, signal });
  setTimeout(() => el.removeEventListener('click', stop, { capture: true }), 0);
}

/** Class names a scene may use: plain words, none of the stage's own. */
export function safeClasses(classes: string | undefined): string {
  if (!classes) {
    return '';
  }
  return classes
    .split(' ')
    .filter(c => /^[a-z][a-z0-9-]*$/.test(c) && !c.startsWith('nl-') && c !== 'natslab')
    .join(' ');
}

/** A number for an attribute; anything else counts as 0. */
export function num(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** Two decimals at most, as in the still. */
export function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Control characters made visible, so that foreign text stays on its line. */
export function plain(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '\ufffd');
}

/** Set an attribute only when it changes: an unchanged one costs a style pass. */
export function attr(el: Element, name: string, value: string): void {
  if (value === '') {
    if (el.hasAttribute(name)) {
      el.removeAttribute(name);
    }
  } else if (el.getAttribute(name) !== value) {
    el.setAttribute(name, value);
  }
}

/** Replace the text of an element when it differs. */
export function say(el: Element, text: string): void {
  if (el.textContent !== text) {
    el.textContent = text;
  }
}
