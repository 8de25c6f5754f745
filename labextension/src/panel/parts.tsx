// What the sections are put together from.

import * as React from 'react';
import { useId, useState, type ReactNode } from 'react';
import { PATHS, type Sign } from './icons';
import { useKit } from './kit';
import { magic } from './lines';
import type { Tone } from './words';

export function Glyph({ sign }: { sign: Sign }) {
  return (
    <svg className="nlp-glyph" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[sign]} />
    </svg>
  );
}

interface ButtonProps {
  sign: Sign;
  label: string;
  /** The line that it runs; shown as its title. */
  line?: string;
  disabled?: boolean;
  onClick: () => void;
}

/** A small button that is a picture; its name is for who cannot see it, its title is the line behind it. */
export function IconButton({ sign, label, line, disabled, onClick }: ButtonProps) {
  const title = line ? `${label}\n${magic(line)}` : label;
  return (
    <button type="button" className="nlp-icon" aria-label={label} title={title} disabled={disabled} onClick={onClick}>
      <Glyph sign={sign} />
    </button>
  );
}

/** A button that runs a line. */
export function LineButton({ sign, label, line }: { sign: Sign; label: string; line: string }) {
  const { acts } = useKit();
  const [running, setRunning] = useState(false);
  const run = (): void => {
    setRunning(true);
    void acts.run(line).finally(() => setRunning(false));
  };
  return <IconButton sign={sign} label={label} line={line} disabled={running} onClick={run} />;
}

export function TextButton(props: { children: ReactNode; strong?: boolean; title?: string; onClick: () => void }) {
  return (
    <button type="button" className={`nlp-button${props.strong ? ' nlp-strong' : ''}`} title={props.title} onClick={props.onClick}>
      {props.children}
    </button>
  );
}

/** A sign for a state: form and colour say the same. */
export function Light({ tone, title }: { tone: Tone; title: string }) {
  return (
    <svg className={`nlp-light nlp-${tone}`} viewBox="0 0 16 16" role="img" aria-label={title}>
      <title>{title}</title>
      {tone === 'good' && <circle cx="8" cy="8" r="5" />}
      {tone === 'bad' && <path d="M4 4l8 8M12 4l-8 8" />}
      {tone === 'warn' && <path d="M5.5 3.5v9M10.5 3.5v9" />}
      {tone === 'off' && <circle cx="8" cy="8" r="4.2" className="nlp-hollow" />}
    </svg>
  );
}

interface SectionProps {
  id: string;
  title: string;
  /** How many there are. */
  total?: number;
  actions?: ReactNode;
  children: ReactNode;
}

/** A part of the panel that opens and closes. */
export function Section({ id, title, total, actions, children }: SectionProps) {
  const { memory } = useKit();
  const [open, setOpen] = useState(() => memory.isOpen(id));
  const body = useId();
  const toggle = (): void => {
    memory.toggle(id);
    setOpen(!open);
  };
  return (
    <section className="nlp-section" data-section={id}>
      <div className="nlp-head">
        <h2>
          <button type="button" className="nlp-fold" aria-expanded={open} aria-controls={body} onClick={toggle}>
            <Glyph sign="more" />
            <span>{title}</span>
            {total !== undefined && total > 0 && <span className="nlp-total">{total}</span>}
          </button>
        </h2>
        {open && actions}
      </div>
      <div id={body} className="nlp-body" hidden={!open}>
        {open && children}
      </div>
    </section>
  );
}

/** Why there is nothing here, and what comes next. */
export function Nothing({ children }: { children: ReactNode }) {
  return <p className="nlp-nothing">{children}</p>;
}

/** How much of a list is left out. */
export function Rest({ text }: { text: string }) {
  return text ? <p className="nlp-rest">{text}</p> : null;
}

interface RowProps {
  sign?: ReactNode;
  name: ReactNode;
  title?: string;
  right?: ReactNode;
  under?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
  testid?: string;
}

/** One thing: its name, a number at the right that gives way to its buttons, and a line of facts under it. */
export function Row({ sign, name, title, right, under, actions, children, testid }: RowProps) {
  return (
    <li className="nlp-row" data-testid={testid}>
      <div className="nlp-main">
        {sign}
        <span className="nlp-name" title={title}>
          {name}
        </span>
        <span className="nlp-right">{right}</span>
        {actions && <span className="nlp-actions">{actions}</span>}
      </div>
      {under && <div className="nlp-under">{under}</div>}
      {children}
    </li>
  );
}

/** Facts one after the other; what is false or empty is left out. */
export function Facts({ of }: { of: (string | false | undefined)[] }) {
  const said = of.filter((one): one is string => !!one);
  return (
    <>
      {said.map((one, i) => (
        <span key={i} className="nlp-fact">
          {one}
        </span>
      ))}
    </>
  );
}
