// One view on the screen: keeps the scene by key, the frame around it, and the way back to the kernel.

import { Announcer } from './announcer';
import { Clock } from './clock';
import { h, plain, s, say, short } from './dom';
import { Flights } from './flights';
import { Inspector } from './inspector';
import { keyRow, press, type Keys } from './keys';
import { among, matcher } from './legend';
import { Item, Layer, opens, type Ground } from './marks';
import { drawRings, type Ring } from './rings';
import { duration, Scrubber } from './scrubber';
import { Table } from './table';
import { followTheme } from './theme';
import type { Act, Cursor, FromKernel, Head, Mark, Model, SceneData, ToKernel } from './wire';
import { Zoom } from './zoom';

const WIDTH = 900; // of every scene
const TOP = 44; // height of the header
const NARROW = 560; // a picture narrower than this scrolls sideways
const WIDEST = 1400;
const CROWD = 300; // more marks that change at once change without a transition

const START: Head = {
  view: '',
  title: '',
  height: 140,
  foot: 0,
  now: 0,
  mode: 'live',
  lab: '',
  said: '',
  controls: [],
  empty: false
};

export class Stage {
  readonly el: HTMLElement;

  private head: Head = { ...START };
  private cursor: Cursor | null = null;
  private seq = -1; // of the newest frame shown; -1 before the first
  private asked = -Infinity; // when hello was last said
  private onScreen = true;
  private calm = matchMedia('(prefers-reduced-motion: reduce)');
  private dimming = false;
  private crowd = false; // too many changes at once to animate
  private first = true;
  private newest = 0; // the newest event shown since the view was last live
  private rewound = false;
  private filter: Mark | null = null; // the legend entry that filters
  private pointed: Item | null = null; // under the pointer
  private rowKey = ''; // of the table row under the pointer
  private focusKey = ''; // the mark that Tab comes back to
  private legendOpen = true;

  private clock: Clock;
  private ground: Ground;
  private marks: Layer;
  private headMarks: Layer;
  private legendMarks: Layer;
  private flights: Flights;
  private zoom: Zoom;
  private scrubber: Scrubber;
  private table: Table;
  private inspector: Inspector;
  private announcer: Announcer;

  private headPicture = s('svg', { class: 'nl-head-picture', viewBox: `0 0 ${WIDTH} ${TOP}`, role: 'presentation' });
  private picture = s('svg', { class: 'nl-picture', role: 'presentation' });
  private legendPicture = s('svg', { class: 'nl-legend-picture', viewBox: `0 0 ${WIDTH} 44`, role: 'presentation' });
  private world = s('g', { class: 'nl-world' });
  private ringLayer = s('g', { class: 'nl-rings', 'aria-hidden': 'true' });
  private body = h('div', { class: 'nl-body' });
  private bubble = h('div', { class: 'nl-bubble', 'aria-hidden': 'true', hidden: true });
  private legendRow = h('div', { class: 'nl-legend', hidden: true });
  private legendButton = toggle('Legend', '?');
  private tableButton = toggle('Table', 'T');
  private patterns = h('button', { type: 'button', class: 'nl-switch', role: 'switch', 'aria-checked': 'false' });
  private banner = h('div', { class: 'nl-banner', hidden: true });
  private bannerText = h('strong');
  private notice = h('div', { class: 'nl-notice', role: 'alert', hidden: true });
  private noticeText = h('span');
  private noticeLine = h('code');
  private controls = h('div', { class: 'nl-controls', hidden: true });
  private zoomReset = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'whole picture' }, '0');
  private waiting = h('p', { class: 'nl-waiting' });

  constructor(
    private model: Model,
    host: HTMLElement,
    private signal: AbortSignal
  ) {
    this.clock = new Clock(() => this.onScreen && !document.hidden);
    this.ground = {
      clock: this.clock,
      index: new Map(),
      owner: new WeakMap(),
      moves: () => !this.first && !this.crowd && !this.calm.matches && this.onScreen && !document.hidden
    };
    const markLayer = s('g');
    const flightLayer = s('g', { class: 'nl-flights' });
    this.marks = new Layer(markLayer, this.ground);
    // Header and legend have keys of their own world: they are not found by key.
    const apart = { ...this.ground, index: new Map<string, Item>() };
    const headLayer = s('g');
    this.headMarks = new Layer(headLayer, apart, null, false);
    const legendLayer = s('g');
    this.legendMarks = new Layer(legendLayer, apart, null, false);
    this.flights = new Flights(
      flightLayer,
      this.clock,
      () => this.ground.moves() && (this.cursor?.mode ?? this.head.mode) === 'live'
    );
    this.world.append(markLayer, flightLayer, this.ringLayer);
    this.picture.append(textures(), this.world);
    this.headPicture.append(headLayer);
    this.legendPicture.append(legendLayer);

    const send = (message: ToKernel): void => this.send(message);
    this.zoom = new Zoom(this.picture, this.world, signal);
    this.scrubber = new Scrubber(send, signal);
    this.table = new Table(signal);
    this.inspector = new Inspector(signal);
    this.announcer = new Announcer(signal);

    const back = h('button', { type: 'button', class: 'nl-button nl-strong' }, 'Back to live', h('kbd', { class: 'nl-key' }, 'L'));
    this.banner.append(h('span', {}, this.bannerText, ' The servers are live.'), back);
    const enough = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'close' }, '×');
    this.notice.append(this.noticeLine, this.noticeText, enough);
    const nearer = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'zoom in' }, '+');
    const farther = h('button', { type: 'button', class: 'nl-key', 'aria-label': 'zoom out' }, '\u2212');
    this.patterns.append(h('span', {}, 'patterns'), h('span', { class: 'nl-knob' }));
    this.body.append(
      h('div', { class: 'nl-scroll' }, this.picture),
      h('div', { class: 'nl-zoom' }, farther, nearer, this.zoomReset),
      this.waiting
    );
    this.legendRow.append(h('div', { class: 'nl-scroll' }, this.legendPicture), this.patterns);
    this.el = h(
      'div',
      { class: 'natslab nl', tabindex: 0, role: 'group', 'data-lm-suppress-shortcuts': 'true' },
      h('div', { class: 'nl-header' }, this.headPicture, h('div', { class: 'nl-header-buttons' }, this.legendButton, this.tableButton)),
      this.banner,
      this.notice,
      this.body,
      this.legendRow,
      this.controls,
      this.table.el,
      this.scrubber.el,
      keyRow(),
      this.inspector.el,
      this.bubble,
      this.announcer.el
    );
    this.el.dataset.mode = 'live';
    host.append(this.el);

    this.listen({ back, nearer, farther, enough });
    this.watch();
    const heard = (content: unknown): void => this.hear(content as FromKernel);
    model.on('msg:custom', heard);
    signal.addEventListener(
      'abort',
      () => {
        model.off('msg:custom', heard);
        this.clock.stop();
      },
      { once: true }
    );
    this.scrubber.show({ mode: 'live', n: 0, head: 0, t: 0, now: 0, speed: 1, selection: '' });
    this.hello();
    const patience = setTimeout(() => {
      if (this.seq < 0) {
        say(this.waiting, 'No picture has come from the kernel yet. Run the cell that shows this view.');
      }
    }, 1500);
    signal.addEventListener('abort', () => clearTimeout(patience), { once: true });
  }

  // --- the kernel ---

  private send(message: ToKernel): void {
    try {
      this.model.send(message);
    } catch {
      say(this.waiting, 'The kernel of this view is gone. Run the cell again to connect it.');
    }
  }

  private hello(): void {
    this.asked = performance.now();
    this.send({ op: 'hello' });
  }

  private hear(message: FromKernel): void {
    switch (message?.op) {
      case 'scene':
        this.whole(message.scene, message.cursor);
        this.seq = message.seq;
        this.painted();
        break;
      case 'delta':
        if (this.seq < 0 || message.seq > this.seq + 1) {
          // Something was missed. Ask once, and again only if no answer comes.
          if (performance.now() - this.asked > 1000 || this.seq >= 0) {
            this.seq = -1;
            this.hello();
          }
        } else if (message.seq === this.seq + 1) {
          this.seq = message.seq;
          this.change(message);
          this.painted();
        }
        break;
      case 'track':
        this.scrubber.draw(message);
        break;
      case 'table':
        this.table.show(message);
        break;
      case 'said':
        this.complain(message.line, message.error);
        break;
    }
  }

  private whole(scene: SceneData, cursor?: Cursor): void {
    const { head, marks, flights, legend, ...rest } = scene;
    const other = this.head.view !== (rest.view ?? '');
    this.first = this.first || other;
    this.head = { ...START, ...rest };
    say(this.waiting, '');
    this.follow(cursor);
    this.keepFocus(() => {
      this.headMarks.replace(head ?? []);
      this.marks.replace(marks ?? []);
      this.legendMarks.replace(legend ?? []);
    });
    this.flights.replace(flights ?? []);
    this.frame();
    this.first = false;
  }

  private change(delta: Extract<FromKernel, { op: 'delta' }>): void {
    this.head = { ...this.head, ...delta.head };
    if (delta.controls) {
      this.head.controls = delta.controls;
    }
    this.follow(delta.cursor);
    this.crowd = (delta.set?.length ?? 0) > CROWD;
    this.keepFocus(() => {
      delta.del?.forEach(key => this.marks.remove(key));
      delta.set?.forEach(mark => this.marks.put(mark));
      if (delta.order) {
        this.marks.arrange(delta.order);
      }
      if (delta.hd) {
        this.headMarks.replace(delta.hd);
      }
      if (delta.legend) {
        this.legendMarks.replace(delta.legend);
      }
    });
    this.crowd = false;
    this.flights.apply(delta.flights ?? [], delta.gone ?? []);
    this.frame();
  }

  private painted(): void {
    if (this.model.get('measure') === true) {
      const { seq } = this;
      requestAnimationFrame(() => {
        if (!this.signal.aborted) {
          this.send({ op: 'painted', seq, at: performance.timeOrigin + performance.now() });
        }
      });
    }
  }

  /** What an action answered when it failed. */
  private complain(line: string, error: string): void {
    say(this.noticeText, plain(error));
    say(this.noticeLine, plain(line));
    this.notice.hidden = false;
  }

  // --- the frame around the marks ---

  private follow(cursor: Cursor | undefined): void {
    if (cursor) {
      // Holding still is not going back: only who has been further, or replays, sees the past.
      const { mode, n, head } = cursor;
      this.newest = mode === 'live' ? n : Math.max(n, this.cursor ? this.newest : head);
      this.rewound = mode === 'replay' || (mode === 'paused' && n < this.newest);
      this.cursor = cursor;
    }
    this.el.dataset.mode = this.cursor?.mode ?? this.head.mode;
  }

  private get live(): boolean {
    return this.el.dataset.mode === 'live';
  }

  private frame(): void {
    const { head, el, cursor } = this;
    el.dataset.view = head.view;
    el.setAttribute('aria-label', plain(`${head.title}: ${head.said}`));
    el.toggleAttribute('data-empty', head.empty === true);
    const height = Math.max(40, head.height - TOP);
    const box = `0 ${TOP} ${WIDTH} ${short(height)}`;
    if (this.picture.getAttribute('viewBox') !== box) {
      this.picture.setAttribute('viewBox', box);
    }
    this.announcer.say(head.said);
    if (cursor) {
      this.scrubber.show(cursor);
    }
    this.showBanner();
    this.showLegend();
    this.showControls(head.controls ?? []);
    this.applyDim();
    this.refreshInspector();
    this.drawRings();
  }

  private showBanner(): void {
    const behind = this.scrubber.lag;
    const hidden = !this.rewound || behind < 0.05;
    this.banner.hidden = hidden;
    if (!hidden) {
      say(this.bannerText, `Showing ${behind < 120 ? `${behind.toFixed(1)} s` : duration(behind)} ago.`);
    }
  }

  private showLegend(): void {
    const some = this.legendMarks.items.size > 0;
    this.legendRow.hidden = !some || !this.legendOpen;
    this.legendButton.setAttribute('aria-pressed', String(this.legendOpen));
    if (this.legendRow.hidden) {
      return;
    }
    let right = 0;
    for (const item of this.legendMarks.items.values()) {
      if (item.mark.kind !== 'group') {
        continue;
      }
      const { el, mark } = item;
      const chosen = this.filter?.key === mark.key;
      if (!el.hasAttribute('tabindex')) {
        el.setAttribute('tabindex', '0');
        el.setAttribute('role', 'button');
        el.classList.add('nl-entry');
      }
      el.setAttribute('aria-label', `show only ${mark.marks.map(words).join('').trim()}`);
      el.setAttribute('aria-pressed', String(chosen));
      right = Math.max(right, ...mark.marks.map(end));
    }
    this.legendRow.classList.toggle('nl-wide', right > 770);
    this.legendRow.classList.toggle('nl-filtering', this.filter !== null);
  }

  private showControls(controls: Act[]): void {
    const lines = JSON.stringify(controls);
    if (this.controls.dataset.lines !== lines) {
      this.controls.dataset.lines = lines;
      this.controls.replaceChildren(
        ...controls.map(({ label }, i) => h('button', { type: 'button', class: 'nl-button', 'data-act': i }, plain(label)))
      );
      this.controls.hidden = !controls.length;
    }
    controls.forEach(({ line }, i) => {
      const button = this.controls.children[i] as HTMLButtonElement;
      button.disabled = !this.live;
      button.title = this.live ? plain(line) : 'only while live';
    });
  }

  private applyDim(): void {
    const light = this.pointed?.mark.light ?? [];
    let lit: ((item: Item) => boolean) | null = null;
    if (this.pointed && light.length) {
      lit = among(new Set([this.pointed.key, ...light]));
    } else if (this.filter) {
      lit = matcher(this.filter);
    }
    if (lit || this.dimming) {
      this.marks.dim(lit);
    }
    this.dimming = lit !== null;
  }

  private drawRings(): void {
    const rings: Ring[] = [];
    const selection = this.cursor?.selection ?? '';
    if (selection) {
      for (const [key, item] of this.ground.index) {
        if (belongs(key, selection) && !belongs(item.parent.within?.key ?? '', selection) && item.mark.kind !== 'text') {
          rings.push({ item, kind: 'selected' });
        }
      }
    }
    const row = this.rowKey ? this.ground.index.get(this.rowKey) : undefined;
    if (row) {
      rings.push({ item: row, kind: 'pointed' });
    }
    const focused = this.focused();
    if (focused?.el.matches(':focus-visible') && rings.every(({ item }) => item !== focused)) {
      rings.push({ item: focused, kind: 'focus' });
    }
    if (rings.length || this.ringLayer.firstChild) {
      drawRings(this.ringLayer, rings);
    }
  }

  // --- focus ---

  /** The focused mark, if any. */
  private focused(): Item | null {
    const active = (this.el.getRootNode() as Document | ShadowRoot).activeElement;
    return (active && this.world.contains(active) && this.ground.owner.get(active)) || null;
  }

  /** Changing the order of elements must not lose the focus; a mark that leaves hands it to the view. */
  private keepFocus(change: () => void): void {
    const before = this.focused();
    change();
    if (before && this.focused() !== before) {
      (this.ground.index.get(before.key)?.el ?? this.el).focus({ preventScroll: true });
    } else if (before && !this.ground.index.has(before.key)) {
      this.el.focus({ preventScroll: true });
    }
    this.rove();
  }

  private focusable(): Item[] {
    return [...this.marks.walk()].filter(item => opens(item.mark));
  }

  /** Exactly one mark is a stop of the Tab key: the last that had the focus, or the first. */
  private rove(): void {
    const now = this.ground.index.get(this.focusKey);
    if (now && opens(now.mark)) {
      now.el.setAttribute('tabindex', '0');
      return;
    }
    for (const item of this.marks.walk()) {
      if (opens(item.mark)) {
        this.focusKey = item.key;
        item.el.setAttribute('tabindex', '0');
        return;
      }
    }
  }

  private focusOn(item: Item): void {
    const old = this.ground.index.get(this.focusKey);
    if (old && old !== item && opens(old.mark)) {
      old.el.setAttribute('tabindex', '-1');
    }
    this.focusKey = item.key;
    item.el.setAttribute('tabindex', '0');
    item.el.focus({ preventScroll: false });
  }

  private walk(by: 1 | -1): void {
    const all = this.focusable();
    if (!all.length) {
      return;
    }
    const now = this.focused();
    const at = now ? all.indexOf(now) : -1;
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + by));
    this.focusOn(all[next]);
  }

  // --- the inspector ---

  private inspect(item: Item): void {
    if (this.inspector.key !== item.key) {
      this.send({ op: 'select', key: item.key });
    }
    this.hideBubble();
    this.inspector.show(item.mark, this.live);
    this.placeInspector(item);
    this.focusKey = item.key;
    this.inspector.el.focus({ preventScroll: true });
  }

  private refreshInspector(): void {
    if (!this.inspector.open) {
      return;
    }
    const item = this.ground.index.get(this.inspector.key);
    if (!item) {
      this.closeInspector();
      return;
    }
    this.inspector.show(item.mark, this.live);
    this.placeInspector(item);
  }

  private placeInspector(item: Item): void {
    const frame = this.el.getBoundingClientRect();
    const mark = item.el.getBoundingClientRect();
    const body = this.body.getBoundingClientRect();
    const extra = parseFloat(this.body.style.paddingBottom) || 0;
    const more = this.inspector.place(
      { x: mark.left - frame.left + mark.width / 2, top: mark.top - frame.top, bottom: mark.bottom - frame.top },
      {
        width: frame.width,
        top: body.top - frame.top,
        end: body.bottom - frame.top - extra,
        bottom: this.scrubber.el.getBoundingClientRect().top - frame.top - extra
      }
    );
    this.body.style.paddingBottom = more ? `${Math.ceil(more)}px` : '';
  }

  private closeInspector(): void {
    const back = this.ground.index.get(this.inspector.key);
    const held = this.inspector.el.contains((this.el.getRootNode() as Document).activeElement);
    this.inspector.hide();
    this.body.style.paddingBottom = '';
    this.send({ op: 'select', key: '' });
    if (held) {
      (back?.el ?? this.el).focus({ preventScroll: true });
    }
    this.drawRings();
  }

  // --- what people do ---

  private keys: Keys = {
    toggle: () => this.scrubber.toggle(),
    step: (by, burst) => this.send({ op: 'step', by, burst }),
    pace: by => this.scrubber.pace(by),
    live: () => this.scrubber.live(),
    open: () => {
      const item = this.focused();
      if (item && opens(item.mark)) {
        this.inspect(item);
      }
    },
    table: () => this.toggleTable(),
    legend: () => this.toggleLegend(),
    leave: () => {
      if (this.inspector.open) {
        this.closeInspector();
      } else {
        ((this.el.getRootNode() as Document).activeElement as HTMLElement | null)?.blur();
      }
    },
    walk: by => this.walk(by),
    zoom: factor => this.zoom.by(factor),
    unzoom: () => this.zoom.reset()
  };

  private act(key: string, i: number): void {
    this.notice.hidden = true;
    this.send({ op: 'act', key, i });
  }

  private toggleTable(): void {
    const open = this.table.el.hidden;
    this.table.el.hidden = !open;
    this.tableButton.setAttribute('aria-pressed', String(open));
    this.send({ op: 'table', open });
    this.refreshInspector();
  }

  private toggleLegend(): void {
    this.legendOpen = !this.legendOpen;
    if (!this.legendOpen) {
      this.filter = null;
      this.applyDim();
    }
    this.showLegend();
    this.refreshInspector();
  }

  private toggleFilter(target: Element): void {
    const entry = this.itemAt(target, ({ parent }) => parent === this.legendMarks);
    if (entry?.mark.kind === 'group') {
      this.filter = this.filter?.key === entry.key ? null : entry.mark;
      this.applyDim();
      this.showLegend();
    }
  }

  /** The nearest mark around an element that the test accepts. */
  private itemAt(from: Element | null, test: (item: Item) => boolean): Item | null {
    for (let el = from; el && el !== this.el; el = el.parentElement) {
      const item = this.ground.owner.get(el);
      if (item && test(item)) {
        return item;
      }
    }
    return null;
  }

  /** The mark under a pointer, or one so near that a finger would mean it. */
  private under(event: MouseEvent): Item | null {
    const found = this.itemAt(event.target as Element, ({ mark }) => opens(mark));
    if (found || !this.picture.contains(event.target as Element)) {
      return found;
    }
    const root = this.el.getRootNode() as Document | ShadowRoot;
    for (const by of [5, 10]) {
      for (const [dx, dy] of [[0, -by], [0, by], [-by, 0], [by, 0]]) {
        const el = root.elementFromPoint(event.clientX + dx, event.clientY + dy);
        const near = this.world.contains(el) && this.itemAt(el, ({ mark }) => opens(mark));
        if (near) {
          return near;
        }
      }
    }
    return null;
  }

  private point(event: PointerEvent): void {
    const target = event.target as Element;
    const item = this.under(event);
    if (item !== this.pointed) {
      this.pointed = item;
      this.table.light(item?.key ?? '');
      this.applyDim();
    }
    const flight = this.flights.get(target.closest('.nl-flights > g') ?? target);
    const title = flight?.title || item?.mark.title || this.titleAt(target);
    if (title && !(this.inspector.open && item?.key === this.inspector.key)) {
      const box = (flight ? target : item?.el ?? target).getBoundingClientRect();
      // A large mark is named where the pointer is, a small one above itself.
      const large = box.width > 120 || box.height > 80;
      this.showBubble(title, large ? event.clientX : box.left + box.width / 2, large ? event.clientY - 8 : box.top - 4);
    } else {
      this.hideBubble();
    }
  }

  private titleAt(target: Element): string {
    return this.itemAt(target, ({ mark }) => Boolean(mark.title))?.mark.title ?? '';
  }

  private showBubble(text: string, x: number, y: number): void {
    const frame = this.el.getBoundingClientRect();
    say(this.bubble, plain(text));
    this.bubble.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.bubble;
    const left = Math.max(8, Math.min(frame.width - width - 8, x - frame.left - width / 2));
    this.bubble.style.left = `${left}px`;
    this.bubble.style.top = `${y - frame.top - height - 6}px`;
  }

  private hideBubble(): void {
    this.bubble.hidden = true;
  }

  private listen(buttons: Record<'back' | 'nearer' | 'farther' | 'enough', HTMLElement>): void {
    const { el, signal } = this;
    const on = { signal };
    el.addEventListener(
      'keydown',
      event => {
        const entry = (event.target as Element).closest('.nl-entry');
        if (entry && (event.key === 'Enter' || event.key === ' ')) {
          this.toggleFilter(entry);
        } else if (!press(event, this.keys)) {
          return;
        }
        event.preventDefault();
        event.stopPropagation();
      },
      on
    );
    // A class, because :has(:focus-visible) would be weighed again with every mark that changes.
    const outline = (): boolean => el.classList.toggle('nl-focus', el.querySelector(':focus-visible') !== null);
    el.addEventListener('focusin', outline, on);
    el.addEventListener('focusout', event => !el.contains(event.relatedTarget as Node | null) && el.classList.remove('nl-focus'), on);
    this.picture.addEventListener(
      'click',
      event => {
        const item = this.under(event);
        if (item) {
          this.inspect(item);
        } else if (this.inspector.open) {
          this.closeInspector();
        }
      },
      on
    );
    for (const area of [this.picture, this.headPicture]) {
      area.addEventListener('pointermove', event => this.point(event), on);
      area.addEventListener(
        'pointerleave',
        () => {
          this.pointed = null;
          this.table.light('');
          this.applyDim();
          this.hideBubble();
        },
        on
      );
    }
    this.world.addEventListener(
      'focusin',
      event => {
        const item = this.ground.owner.get(event.target as Element);
        if (item) {
          this.focusKey = item.key;
          this.drawRings();
          if (!item.el.matches(':focus-visible')) {
            return;
          }
          this.pointed = item;
          this.table.light(item.key);
          this.applyDim();
          if (item.mark.title && !this.inspector.open) {
            const box = item.el.getBoundingClientRect();
            this.showBubble(item.mark.title, box.left + box.width / 2, box.top - 6);
          }
        }
      },
      on
    );
    this.world.addEventListener(
      'focusout',
      () => {
        this.pointed = null;
        this.table.light('');
        this.applyDim();
        this.hideBubble();
        requestAnimationFrame(() => this.drawRings());
      },
      on
    );
    this.legendPicture.addEventListener('click', event => this.toggleFilter(event.target as Element), on);
    this.legendButton.addEventListener('click', () => this.toggleLegend(), on);
    this.tableButton.addEventListener('click', () => this.toggleTable(), on);
    this.patterns.addEventListener(
      'click',
      () => {
        const patterned = el.classList.toggle('patterns');
        this.patterns.setAttribute('aria-checked', String(patterned));
      },
      on
    );
    buttons.back.addEventListener('click', () => this.scrubber.live(), on);
    buttons.enough.addEventListener('click', () => (this.notice.hidden = true), on);
    buttons.nearer.addEventListener('click', () => this.zoom.by(1.25), on);
    buttons.farther.addEventListener('click', () => this.zoom.by(0.8), on);
    this.zoomReset.addEventListener('click', () => this.zoom.reset(), on);
    this.controls.addEventListener(
      'click',
      event => {
        const button = (event.target as Element).closest<HTMLButtonElement>('[data-act]');
        if (button) {
          this.act('', Number(button.dataset.act));
        }
      },
      on
    );
    this.inspector.onClose = () => this.closeInspector();
    this.inspector.onAct = (key, i) => this.act(key, i);
    this.table.onHover = key => {
      this.rowKey = key;
      this.drawRings();
    };
    this.table.onOpen = key => {
      const item = this.ground.index.get(key);
      if (item && opens(item.mark)) {
        this.inspect(item);
      }
    };
    this.scrubber.onBubble = (text, x, y) => this.showBubble(text, x, y);
    this.scrubber.onBubbleEnd = () => this.hideBubble();
    this.clock.moved = () => {
      if (this.ringLayer.firstChild) {
        this.drawRings();
      }
    };
    this.zoom.onChange = () => {
      el.classList.toggle('nl-zooming', this.zoom.k > 1);
      this.refreshInspector();
      this.drawRings();
    };
  }

  /** Size, theme, and whether anybody looks. */
  private watch(): void {
    const { el, signal } = this;
    followTheme(el, signal);
    const resized = new ResizeObserver(() => this.resize());
    resized.observe(el);
    resized.observe(this.scrubber.el);
    const seen = new IntersectionObserver(entries => {
      this.onScreen = entries[entries.length - 1].isIntersecting;
      if (!this.onScreen) {
        this.clock.settle();
      }
    });
    seen.observe(el);
    document.addEventListener('visibilitychange', () => document.hidden && this.clock.settle(), { signal });
    this.calm.addEventListener('change', () => this.clock.settle(), { signal });
    signal.addEventListener(
      'abort',
      () => {
        resized.disconnect();
        seen.disconnect();
      },
      { once: true }
    );
  }

  private resize(): void {
    const { el } = this;
    const width = Math.min(WIDEST, el.clientWidth);
    if (!width) {
      return;
    }
    const unit = Math.max(1, Math.min(WIDEST, width) / WIDTH);
    el.style.setProperty('--u', `${unit.toFixed(4)}px`);
    // The frame keeps the picture's own margin.
    el.style.setProperty('--edge', `${((24 * Math.max(NARROW, width)) / WIDTH).toFixed(2)}px`);
    el.classList.toggle('nl-narrow', width < NARROW);
    const track = this.scrubber.el.querySelector('.nl-track')?.clientWidth ?? 0;
    if (track) {
      this.scrubber.resize(track / unit);
    }
    this.refreshInspector();
    this.drawRings();
  }
}

function toggle(word: string, key: string): HTMLButtonElement {
  const kbd = h('kbd', { class: 'nl-key' }, key);
  return h('button', { type: 'button', class: 'nl-toggle', 'aria-pressed': 'false' }, h('span', {}, word), ' ', kbd);
}

/** Whether a mark is of the entity that a selection names: `msg/5` names `msg/5@w1`, not `msg/57`. */
function belongs(key: string, selection: string): boolean {
  return key === selection || (key.startsWith(selection) && /\W/.test(key[selection.length]));
}

/** The text of a mark and what it holds. */
function words(mark: Mark): string {
  if (mark.kind === 'text') {
    return mark.runs.map(([text]) => text).join('');
  }
  return mark.kind === 'group' ? mark.marks.map(words).join(' ') : '';
}

/** Where a mark of the legend ends, near enough. */
function end(mark: Mark): number {
  return mark.kind === 'text' ? mark.x + words(mark).length * 7.5 : 0;
}

/** Textures of the states, for print, forced colours and the patterns switch; the stylesheet names them. */
function textures(): SVGDefsElement {
  const lines: [string, string, number][] = [
    ['flight', 'M0 3H6', 1.2],
    ['retry', 'M-1 7L7 -1M-1 1L1 -1M5 7L7 5', 1.2],
    ['dead', 'M0 0L6 6M6 0L0 6', 1]
  ];
  return s(
    'defs',
    {},
    ...lines.map(([state, d, width]) =>
      s(
        'pattern',
        { id: `natslab-${state}`, width: 6, height: 6, patternUnits: 'userSpaceOnUse' },
        s('rect', { width: 6, height: 6, class: `fill ${state}` }),
        s('path', { d, class: 'edge ground', 'stroke-width': width })
      )
    )
  );
}

