// What was clicked, as the lines that do the same: to be read, copied, or put into the notebook.

import * as React from 'react';
import { useState } from 'react';
import { IconButton } from '../parts';
import { useKit } from '../kit';
import { past, type Done } from '../done';

function Line({ entry, lab }: { entry: Done; lab: number }) {
  const { trans, acts, links } = useKit();
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    void acts.copy(entry.line).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <div className={`nlp-done${entry.failed ? ' nlp-failed' : ''}`} data-testid="done">
      <div className="nlp-code">
        <code>{entry.line}</code>
        <IconButton sign="copy" label={copied ? trans.__('Copied') : trans.__('Copy %1', entry.line)} onClick={copy} />
        <IconButton
          sign="insert"
          label={trans.__('Insert %1 into the notebook', entry.line)}
          disabled={!links.panel}
          onClick={() => acts.insert(entry.line)}
        />
      </div>
      {past(entry, lab) && <p>{trans.__('of an earlier lab')}</p>}
      {entry.running && <p>{trans.__('runs\u2026')}</p>}
      {entry.said && <p>{entry.said}</p>}
      {entry.hint && <p className="nlp-hint">{entry.hint}</p>}
    </div>
  );
}

export function DoneLines() {
  const { trans, acts, links } = useKit();
  const [all, setAll] = useState(false);
  const done = acts.shown;
  const lab = links.active?.state?.lab?.started ?? 0;
  const shown = all ? done : done.slice(0, 1);
  return (
    <section className="nlp-footer" aria-label={trans.__('What you clicked, as lines')}>
      {done.length === 0 ? (
        <p className="nlp-rest">{trans.__('What you click appears here as the line that does the same.')}</p>
      ) : (
        <>
          <div className="nlp-footer-head">
            <span>{trans.__('The same as a line')}</span>
            {done.length > 1 && (
              <button type="button" className="nlp-link" aria-expanded={all} onClick={() => setAll(!all)}>
                {all ? trans.__('only the last') : trans._n('%1 earlier', '%1 earlier', done.length - 1)}
              </button>
            )}
          </div>
          <div role="status">
            {shown.map(entry => (
              <Line key={entry.n} entry={entry} lab={lab} />
            ))}
          </div>
        </>
      )}
    </section>
  );
}
