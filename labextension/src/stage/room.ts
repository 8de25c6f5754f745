// The room that a stage has: how large it draws in it, and whether it asks for a narrow picture.

export const WIDTH = 900; // of a wide picture
const NARROW = 560; // the bars of a stage narrower than this take two lines
const LEAST = 720; // there a wide picture has too small a text: a narrow one is asked for, or it scrolls sideways
const BACK = 744; // from here on the wide one again: a scroll bar cannot make it waver
const WIDEST = 1400;
const MOST = 1.1; // a narrow picture grows up to here: more would leave its lower half below the window

export class Room {
  narrow = false; // the picture to ask for

  constructor(private el: HTMLElement) {
    this.narrow = el.clientWidth > 0 && el.clientWidth < LEAST;
  }

  /** Give a picture so wide its size. Returns the pixels of a unit; 0 where the stage is not shown. */
  fit(picture: number, scale: number): number {
    const { el } = this;
    const width = Math.min(WIDEST, el.clientWidth);
    if (!width) {
      return 0;
    }
    const wide = picture === WIDTH;
    const grown = Math.min(wide ? Infinity : MOST, width / picture);
    const unit = Math.max(1, grown) * scale;
    el.style.setProperty('--picture', wide ? 'none' : `${Math.round(MOST * picture)}px`);
    el.style.setProperty('--u', `${unit.toFixed(4)}px`);
    // The frame keeps the picture's own margin.
    el.style.setProperty('--edge', `${(24 * Math.max(wide ? LEAST / WIDTH : 0, grown)).toFixed(2)}px`);
    el.classList.toggle('nl-narrow', width < NARROW * unit);
    el.classList.toggle('nl-small', wide && width < LEAST);
    this.narrow = width < (this.narrow ? BACK : LEAST);
    return unit;
  }
}
