// One view on the screen: puts its parts together, follows the kernel, and passes on what people do.

import { Announcer } from './announcer';
import { Banner, Controls, Header, Notice } from './bars';
import { Bubble } from './bubble';
import { Crossing, crosses } from './crossing';
import { h, plain } from './dom';
import { Focus } from './focus';
import { Inspector } from './inspector';
import { KeyRow, press, type Keys } from './keys';
import { Legend } from './legend';
import { carded, menus, opens, presses, type Item } from './marks';
import { Menu } from './menu';
import { Picture } from './picture';
import type { Ring } from './rings';
import { Room, WIDTH } from './room';
import { Scrubber } from './scrubber';
import { Table } from './table';
import { textures } from './textures';
import { followTheme } from './theme';
import { Wishes } from './wishes';
import type { Cursor, Delta, FromKernel, Head, Model, SceneData, ToKernel } from './wire';

const TOP = 44; // height of the header
const PATIENCE = 1500; // ms until a missing picture is explained
const MOSTLY = 0.6; // of a view, or of the screen, that must be seen for slow motion to start by itself
const AGAIN = 1000; // ms until an unanswered hello is said again
const BEHIND = 0.25; // seconds that frames may wait here before the kernel is told
const NEWS = 0.5; // seconds between two such messages

const EMPTY: Head = {
  view: '',
  title: '',
  width: WIDTH,
  top: TOP,
  height: 140,
  foot: 0,
  now: 0,
  mode: 'live',
  lab: '',
  said: '',
  controls: [],
  burst: null,
  empty: false
};
const START: Cursor = { mode: 'live', n: 0, head: 0, t: 0, now: 0, speed: 1, selection: '' };

/** The lines that crossing these marks stands for. */
function crossed(met: Item[]): string[] {
  return met.map(item => item.mark.actions?.[crosses(item)].line ?? '');
}

export class Stage {
  readonly el: HTMLElement;

  private head = EMPTY;
  private cursor: Cursor | null = null;
  private newest = 0; // the newest event shown since the view was last live
  private rewound = false;
  private seq = -1; // of the newest frame shown; -1: a full scene is needed
  private asked = -Infinity; // when hello was last said
  private nearest = Infinity; // the least seconds between the kernel's clock and the browser's
  private doubting = 0; // timer: whether the kernel still answers
  private told = -Infinity; // seconds; when the kernel was last told that we are behind
  private onScreen = true;
  private looked = true; // most of the view is on the screen
  private room: Room;
  private wishes: Wishes;
  private pointed: Item | null = null; // under the pointer, or under the keyboard's focus
  private row = ''; // key of the table row under the pointer
  private offered = new Set<string>(); // bursts that were seen, or shown slowly

  private picture: Picture;
  private focus: Focus;
  private header: Header;
  private banner: Banner;
  private notice: Notice;
  private legend: Legend;
  private controls: Controls;
  private table: Table;
  private scrubber: Scrubber;
  private inspector: Inspector;
  private menu: Menu;
  private announcer: Announcer;
  private bubble = new Bubble();
  private keyRow = new KeyRow();
  private crossing: Crossing;

  constructor(
    private model: Model,
    host: HTMLElement,
    private signal: AbortSignal
  ) {
    this.wishes = new Wishes(() => this.wish(), signal);
    const questions = { seen: () => this.seen, calm: () => this.wishes.calm, pace: () => this.pacing };
    this.picture = new Picture(questions, signal);
    this.crossing = new Crossing(this.picture, () => this.live, signal);
    // Header and legend are no part of the picture: their keys are not found in it.
    const apart = { ...this.picture.ground, index: new Map<string, Item>() };
    this.header = new Header(apart);
    this.legend = new Legend(apart, signal);
    this.banner = new Banner(signal);
    this.notice = new Notice(signal);
    this.controls = new Controls(signal);
    this.table = new Table(signal);
    this.scrubber = new Scrubber(message => this.send(message), signal);
    this.inspector = new Inspector(signal);
    this.menu = new Menu(signal);
    this.announcer = new Announcer(signal);
    const parts = [this.header, this.banner, this.notice, this.picture, this.legend, this.controls, this.table, this.scrubber];
    this.el = h(
      'div',
      { class: 'natslab nl', tabindex: 0, role: 'group', 'data-mode': 'live', 'data-lm-suppress-shortcuts': 'true' },
      ...parts.map(part => part.el),
      this.keyRow.el,
      this.inspector.el,
      this.menu.el,
      this.bubble.el,
      this.announcer.el
    );
    this.picture.svg.prepend(textures(this.el));
    this.focus = new Focus(this.el, this.picture);
    host.append(this.el);

    this.connect();
    this.listen();
    this.watch();
    this.scrubber.show(START);
    const heard = (content: unknown): void => this.hear(content as FromKernel);
    model.on('msg:custom', heard);
    const parted = (): void => this.doubt();
    model.on('comm_live_update', parted);
    this.fit();
    this.room = new Room(this.el);
    this.hello();
    const patience = setTimeout(() => {
      if (this.seq < 0) {
        this.picture.say('No picture has come from the kernel yet. Run the cell that shows this view.');
      }
    }, PATIENCE);
    signal.addEventListener(
      'abort',
      () => {
        model.off('msg:custom', heard);
        model.off('comm_live_update', parted);
        clearTimeout(patience);
        clearTimeout(this.doubting);
      },
      { once: true }
    );
  }

  // --- the kernel ---

  private send(message: ToKernel): void {
    try {
      this.model.send(message);
    } catch {
      this.gone();
    }
  }

  private hello(): void {
    this.asked = performance.now();
    this.send(this.room.narrow ? { op: 'hello', narrow: true } : { op: 'hello' });
  }

  /** The connection to the kernel changed: without an answer the view has ended. */
  private doubt(): void {
    clearTimeout(this.doubting);
    this.hello();
    this.doubting = window.setTimeout(() => {
      if (this.cursor) {
        this.cursor = { ...this.cursor, over: true };
        this.notice.hide();
        this.frame();
      }
      this.seq = -1;
      this.gone();
    }, AGAIN);
  }

  private gone(): void {
    this.picture.say('The kernel of this view is gone. Run the cell again to connect it.');
  }

  private hear(message: FromKernel): void {
    clearTimeout(this.doubting);
    switch (message?.op) {
      case 'scene':
        this.seq = message.seq;
        this.whole(message.scene, message.cursor);
        this.nearest = Infinity;
        this.painted();
        break;
      case 'delta':
        if (this.seq >= 0 && message.seq === this.seq + 1) {
          this.seq = message.seq;
          this.change(message);
          this.pace(message.cursor);
          this.painted();
        } else if (this.seq < 0 ? performance.now() - this.asked > AGAIN : message.seq > this.seq) {
          this.seq = -1;
          this.hello();
        }
        break;
      case 'track':
        this.scrubber.draw(message);
        break;
      case 'table':
        this.table.show(message);
        break;
      case 'said':
        this.notice.done(message.line, message.error);
        break;
    }
  }

  private whole(scene: SceneData, cursor?: Cursor): void {
    const { head, marks, flights, legend, ...rest } = scene;
    const before = this.head;
    this.head = { ...EMPTY, ...rest };
    const other = this.head.width !== before.width;
    this.picture.fresh ||= other || this.head.view !== before.view;
    if (this.head.burst) {
      this.offered.add(this.head.burst.key); // it was over before anybody looked
    }
    this.picture.say('');
    this.follow(cursor);
    this.focus.keep(() => this.picture.whole(marks ?? []));
    this.header.show(head ?? []);
    this.legend.show(legend ?? []);
    this.header.legend.setAttribute('aria-pressed', String(!this.legend.el.hidden));
    this.picture.flights.replace(flights ?? []);
    if (other) {
      this.picture.zoom.reset();
      this.resize();
    }
    this.frame();
    this.picture.fresh = false;
  }

  private change(delta: Delta): void {
    this.head = { ...this.head, ...delta.head };
    this.head.controls = delta.controls ?? this.head.controls;
    this.follow(delta.cursor);
    this.focus.keep(() => this.picture.change(delta));
    if (delta.hd) {
      this.header.show(delta.hd);
    }
    if (delta.legend) {
      this.legend.show(delta.legend);
      this.header.legend.setAttribute('aria-pressed', String(!this.legend.el.hidden));
    }
    this.picture.flights.apply(delta.flights ?? [], delta.gone ?? []);
    this.frame();
  }

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

  /** Frames that come faster than this browser draws them would show an ever older past. */
  private pace(cursor: Cursor | undefined): void {
    if (cursor) {
      const now = performance.now() / 1000;
      // A little more each time: a clock that was set must not look like waiting for ever.
      this.nearest = Math.min(this.nearest + 0.002, now - cursor.now);
      if (now - cursor.now - this.nearest > BEHIND && now - this.told > NEWS) {
        this.told = now;
        this.send({ op: 'behind' });
      }
    }
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

  // --- what is shown ---

  private get live(): boolean {
    return this.el.dataset.mode === 'live' && !this.cursor?.over;
  }

  /** How fast messages travel: in their own time while live, as slowly as a replay goes, else not at all. */
  private get pacing(): number {
    if (this.live) {
      return 1;
    }
    return this.cursor?.mode === 'replay' ? this.cursor.speed : 0;
  }

  private get seen(): boolean {
    return this.onScreen && !document.hidden;
  }

  private frame(): void {
    const { head, el, cursor, picture, pointed } = this;
    el.dataset.view = head.view;
    el.setAttribute('aria-label', plain(`${head.title}: ${head.said}`));
    el.toggleAttribute('data-empty', head.empty === true);
    this.fit();
    this.announcer.say(head.said);
    if (cursor) {
      this.scrubber.show(cursor);
    }
    this.scrubber.offer(head.burst);
    this.slowly();
    this.banner.show(this.rewound ? this.scrubber.lag : 0, cursor ?? undefined);
    this.controls.show(head.controls, this.live);
    el.toggleAttribute('data-acts', this.live);
    this.keyRow.cross(this.live ? this.crossing.word : '');
    this.crossing.refresh();
    if (pointed && picture.ground.index.get(pointed.key) !== pointed) {
      this.point(null);
    }
    this.fade();
    this.refresh();
    this.ring();
    this.bubble.follow(this.pointed?.mark.title ?? '');
  }

  /** The pictures take the size of the scene. */
  private fit(): void {
    this.picture.resize(this.head);
    this.header.resize(this.head);
    this.legend.resize(this.head);
  }

  /** What has just been over too soon is shown slowly, once, to who has it before them and is about nothing else. */
  private slowly(): void {
    const { burst } = this.head;
    if (!burst?.auto || this.offered.has(burst.key)) {
      return;
    }
    this.offered.add(burst.key);
    if (this.live && this.seen && this.looked && !this.wishes.calm && !this.inspector.open && !this.menu.open) {
      this.send({ op: 'slow', auto: true });
    }
  }

  /** What belongs to the mark that is pointed at stays lit, or what the legend filters for. */
  private fade(): void {
    const light = this.pointed?.mark.light ?? [];
    if (this.pointed && light.length) {
      // Who lights up only one other is a part of it, and lights up what it does.
      const whole = light.length === 1 ? this.picture.ground.index.get(light[0])?.mark.light : [];
      const keys = new Set([this.pointed.key, ...light, ...(whole ?? [])]);
      // A flight ends with the key of who gets it, or is one of the group that is pointed at.
      const group = light.length === 1 ? light[0] : this.pointed.key;
      const tails = [...keys].map(key => `/${key}`);
      this.picture.fade(
        item => keys.has(item.key),
        flight => flight.group === group || tails.some(tail => flight.key.endsWith(tail))
      );
    } else {
      this.picture.fade(this.legend.filter, null);
    }
  }

  private ring(): void {
    const { cursor, picture, focus, row } = this;
    const rings: Ring[] = cursor?.selection ? picture.entity(cursor.selection).map(item => ({ item, kind: 'selected' })) : [];
    const rowItem = picture.ground.index.get(row);
    if (rowItem) {
      rings.push({ item: rowItem, kind: 'pointed' });
    }
    const { item } = focus;
    if (item?.el.matches(':focus-visible') && rings.every(ring => ring.item !== item)) {
      rings.push({ item, kind: 'focus' });
    }
    picture.ring(rings);
  }

  private point(item: Item | null): void {
    if (item !== this.pointed) {
      this.pointed = item;
      this.table.light(item?.key ?? '');
      this.fade();
    }
    if (!item) {
      this.bubble.hide();
    }
  }

  // --- the inspector ---

  /** The actions of a mark beside it. */
  private choose(item: Item): void {
    if (this.inspector.open) {
      this.close();
    }
    this.bubble.hide();
    this.focus.stopAt(item);
    this.menu.show(item.mark, this.live);
    this.menu.place(item.el, this.scrubber.el);
    this.menu.focus();
  }

  private unchoose(): void {
    const held = this.menu.el.contains(this.focus.active);
    const mark = this.picture.ground.index.get(this.menu.key);
    this.menu.hide();
    if (held) {
      (mark?.el ?? this.el).focus({ preventScroll: true });
    }
  }

  private inspect(item: Item): void {
    // A page without a kernel cannot draw the card: it has the scenes in which nothing is selected.
    if (carded(item.mark) && this.model.get('carried') !== true) {
      if (this.inspector.open) {
        this.close();
      }
      this.bubble.hide();
      this.focus.stopAt(item);
      this.send({ op: 'select', key: this.cursor?.selection === item.key ? '' : item.key });
      return;
    }
    if (this.inspector.key !== item.key) {
      this.send({ op: 'select', key: item.key });
    }
    this.bubble.hide();
    this.focus.stopAt(item);
    this.inspector.show(item.mark, this.live);
    this.place(item);
    this.inspector.el.focus({ preventScroll: true });
  }

  /** The inspector follows its mark, and closes when it is gone. */
  private refresh(): void {
    if (this.menu.open) {
      const item = this.picture.ground.index.get(this.menu.key);
      if (item && menus(item.mark)) {
        this.menu.show(item.mark, this.live);
        this.menu.place(item.el, this.scrubber.el);
      } else {
        this.unchoose();
      }
    }
    if (!this.inspector.open) {
      return;
    }
    const item = this.picture.ground.index.get(this.inspector.key);
    if (item) {
      this.inspector.show(item.mark, this.live);
      this.place(item);
    } else {
      this.close();
    }
  }

  private place(item: Item): void {
    const body = this.picture.el;
    const room = parseFloat(body.style.paddingBottom) || 0;
    const more = this.inspector.place(item.el, body, this.scrubber.el, room);
    body.style.paddingBottom = more ? `${Math.ceil(more)}px` : '';
  }

  private close(): void {
    const mark = this.picture.ground.index.get(this.inspector.key);
    const held = this.inspector.el.contains(this.focus.active);
    this.inspector.hide();
    this.picture.el.style.paddingBottom = '';
    this.send({ op: 'select', key: '' });
    if (held) {
      (mark?.el ?? this.el).focus({ preventScroll: true });
    }
    this.ring();
  }

  // --- what people do ---

  private keys: Keys = {
    toggle: () => this.scrubber.toggle(),
    step: (by, burst) => this.send({ op: 'step', by, burst }),
    pace: by => this.scrubber.pace(by),
    slow: () => this.scrubber.slowMotion(),
    live: () => this.scrubber.live(),
    open: () => {
      const { item } = this.focus;
      if (item && opens(item.mark)) {
        this.open(item);
      }
    },
    table: () => this.toggleTable(),
    legend: () => this.legend.toggleOpen(),
    filter: () => {
      const word = this.legend.next();
      this.announcer.say(word ? `Only ${word}.` : 'Everything.');
    },
    ghosts: () => {
      const hidden = this.el.classList.toggle('nl-ghostless');
      this.announcer.say(hidden ? 'Without what was removed or predicted.' : 'With what was removed or predicted.');
    },
    leave: () => {
      if (this.inspector.open) {
        this.close();
      } else if (this.cursor?.selection) {
        this.send({ op: 'select', key: '' });
      } else {
        (this.focus.active as HTMLElement | null)?.blur();
      }
    },
    walk: by => this.focus.walk(by),
    zoom: factor => this.picture.zoom.by(factor),
    unzoom: () => this.picture.zoom.reset()
  };

  private toggleTable(): void {
    const open = this.table.el.hidden;
    this.table.el.hidden = !open;
    this.header.table.setAttribute('aria-pressed', String(open));
    this.send({ op: 'table', open });
    this.refresh();
  }

  /** Ask whoever is around to show this view beside the notebook. */
  private dock(): void {
    const of = this.model.get('of');
    const detail = { view: this.head.view, of: Array.isArray(of) ? of : [] };
    this.el.dispatchEvent(new CustomEvent('natslab:dock', { bubbles: true, composed: true, detail }));
  }

  private act(key: string, i: number): void {
    const acts = key ? this.picture.ground.index.get(key)?.mark.actions : this.head.controls;
    if (this.live && acts?.[i]) {
      this.notice.wait([acts[i].line]);
      this.send({ op: 'act', key, i });
    }
  }

  /** A line was drawn across these marks. */
  private cross(met: Item[]): void {
    if (this.live && met.length) {
      const lines = crossed(met);
      this.notice.wait(lines, true);
      this.announcer.say(lines.join(', '));
      met.forEach(item => this.send({ op: 'act', key: item.key, i: crosses(item) }));
    }
  }

  /** A mark that was clicked: a button does its line, a moment is gone to, everything else is looked into. */
  private open(item: Item): void {
    if (presses(item.mark)) {
      this.act(item.key, 0);
    } else if (item.mark.at) {
      this.send({ op: 'seek', n: item.mark.at });
    } else if (menus(item.mark)) {
      this.choose(item);
    } else {
      this.inspect(item);
    }
  }

  /** The parts tell each other through the stage alone. */
  private connect(): void {
    const { legend, picture } = this;
    const legendChanged = (): void => {
      this.el.classList.toggle('patterns', legend.patterns);
      this.header.legend.setAttribute('aria-pressed', String(!legend.el.hidden));
      this.fade();
      this.refresh();
    };
    legend.onChange = legendChanged;
    legendChanged();
    this.banner.onBack = () => this.scrubber.live();
    this.controls.onAct = i => this.act('', i);
    this.inspector.onAct = (key, i) => this.act(key, i);
    this.inspector.onClose = () => this.close();
    this.menu.onAct = (key, i) => this.act(key, i);
    this.menu.onClose = () => this.unchoose();
    this.menu.onInspect = key => {
      const item = picture.ground.index.get(key);
      if (item) {
        this.inspect(item);
      }
    };
    this.table.onHover = key => {
      this.row = key;
      this.ring();
    };
    this.table.onOpen = key => {
      const item = picture.ground.index.get(key);
      if (item && opens(item.mark)) {
        this.inspect(item);
      }
    };
    this.scrubber.onBubble = (text, x, y) => this.bubble.show(text, x, y);
    this.scrubber.onBubbleEnd = () => this.bubble.hide();
    this.crossing.onDraw = (met, x, y) => {
      if (this.pointed || !met.length) {
        this.point(null);
      }
      if (met.length) {
        this.bubble.show(crossed(met).join('\n'), x, y - 8);
      }
    };
    this.crossing.onEnd = met => {
      this.bubble.hide();
      this.cross(met);
    };
    picture.clock.moved = () => picture.ringed && this.ring();
    picture.zoom.onChange = () => {
      this.el.classList.toggle('nl-zooming', picture.zoom.k > 1);
      this.refresh();
      this.ring();
    };
  }

  private listen(): void {
    const { el, picture, header, legend, bubble } = this;
    const on = { signal: this.signal };
    el.addEventListener(
      'keydown',
      event => {
        if (press(event, this.keys)) {
          event.preventDefault();
          event.stopPropagation();
        }
      },
      on
    );
    // A class, because :has(:focus-visible) would be weighed again with every mark that changes.
    el.addEventListener('focusin', () => el.classList.toggle('nl-focus', el.querySelector(':focus-visible') !== null), on);
    el.addEventListener(
      'focusout',
      event => {
        if (!el.contains(event.relatedTarget as Node | null)) {
          el.classList.remove('nl-focus');
        }
      },
      on
    );
    header.legend.addEventListener('click', () => this.legend.toggleOpen(), on);
    header.table.addEventListener('click', () => this.toggleTable(), on);
    header.dock.hidden = this.model.get('docked') === true;
    header.dock.addEventListener('click', () => this.dock(), on);
    header.picture.addEventListener(
      'pointermove',
      event => {
        const named = (event.target as Element).closest('[aria-label]');
        if (named) {
          bubble.name(named.getAttribute('aria-label') ?? '', named, event);
        } else {
          bubble.hide();
        }
      },
      on
    );
    header.picture.addEventListener('pointerleave', () => bubble.hide(), on);
    legend.el.addEventListener(
      'pointermove',
      event => {
        const entry = legend.entry(event.target as Element);
        if (entry?.mark.title) {
          bubble.name(entry.mark.title, entry.el, event);
        } else {
          bubble.hide();
        }
      },
      on
    );
    legend.el.addEventListener('pointerleave', () => bubble.hide(), on);
    picture.svg.addEventListener(
      'click',
      event => {
        const item = picture.under(event);
        if (item) {
          this.open(item);
        } else if (this.inspector.open) {
          this.close();
        } else if (this.cursor?.selection && !(event.target as Element).closest('[data-key^="card/"]')) {
          this.send({ op: 'select', key: '' });
        }
      },
      on
    );
    picture.svg.addEventListener(
      'pointermove',
      event => {
        if (this.crossing.drawing) {
          return;
        }
        const flight = picture.flightAt(event.target as Element);
        const item = flight ? null : picture.under(event);
        this.point(item);
        if (flight?.title) {
          bubble.name(flight.title, event.target as Element, event);
        } else if (item?.mark.title && item.key !== this.inspector.key && item.key !== this.menu.key) {
          bubble.name(item.mark.title, item.el, event);
        }
      },
      on
    );
    picture.svg.addEventListener('pointerleave', () => this.point(null), on);
    picture.world.addEventListener(
      'focusin',
      () => {
        const { item } = this.focus;
        this.ring();
        if (item) {
          this.focus.stopAt(item);
          if (item.el.matches(':focus-visible')) {
            this.point(item);
            if (item.mark.title) {
              bubble.name(item.mark.title, item.el);
            }
          }
        }
      },
      on
    );
    picture.world.addEventListener(
      'focusout',
      () => {
        this.point(null);
        requestAnimationFrame(() => this.ring());
      },
      on
    );
  }

  /** Size, theme, and whether anybody looks. */
  private watch(): void {
    const { el, signal, picture } = this;
    followTheme(el, signal);
    const resized = new ResizeObserver(() => this.resize());
    resized.observe(el);
    resized.observe(this.scrubber.el);
    const parts = { threshold: Array.from({ length: 11 }, (_, i) => i / 10) };
    const seen = new IntersectionObserver(entries => {
      const { isIntersecting, boundingClientRect: whole, intersectionRect: part } = entries[entries.length - 1];
      this.onScreen = isIntersecting;
      this.looked =
        part.height > MOSTLY * Math.min(whole.height, innerHeight) && part.width > MOSTLY * Math.min(whole.width, innerWidth);
      if (!this.onScreen) {
        picture.clock.settle();
      }
    }, parts);
    seen.observe(el);
    document.addEventListener('visibilitychange', () => document.hidden && picture.clock.settle(), { signal });
    signal.addEventListener(
      'abort',
      () => {
        resized.disconnect();
        seen.disconnect();
      },
      { once: true }
    );
  }

  private wish(): void {
    this.picture.clock.settle();
    this.resize();
  }

  private resize(): void {
    const { narrow } = this.room;
    const unit = this.room.fit(this.head.width, this.wishes.scale);
    if (!unit) {
      return;
    }
    if (narrow !== this.room.narrow) {
      this.hello();
    }
    this.scrubber.resize(unit);
    this.refresh();
    this.ring();
  }
}
