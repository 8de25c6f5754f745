// The lessons, with how far somebody has come.

import * as React from 'react';
import { Nothing, Section } from '../parts';
import { useKit } from '../kit';
import type { Lesson } from '../lessons';

function Entry({ lesson }: { lesson: Lesson }) {
  const { trans, command } = useKit();
  const { progress, title, path } = lesson;
  const begun = !!progress && progress.done > 0;
  const part = begun ? progress.done / progress.of : 0;
  const said = !begun ? '' : part === 1 ? trans.__('all cells run') : trans.__('%1 of %2 cells', progress.done, progress.of);
  return (
    <li className="nlp-lesson" data-testid={`lesson-${title.slice(0, 2)}`}>
      <button type="button" className="nlp-open" onClick={() => command('docmanager:open', { path })} title={path}>
        <span className="nlp-number">{title.slice(0, 2)}</span>
        <span className="nlp-name">{title.slice(3)}</span>
        <span className="nlp-right">{said}</span>
      </button>
      {begun && (
        <svg className="nlp-bar" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
          <path d="M0 1H100" className="nlp-track" />
          <path d={`M0 1H${(100 * part).toFixed(1)}`} className="nlp-part" />
        </svg>
      )}
    </li>
  );
}

export function LessonList() {
  const { trans, lessons } = useKit();
  const begun = lessons.list.filter(({ progress }) => progress && progress.done > 0).length;
  return (
    <Section id="lessons" title={trans.__('Lessons')} total={lessons.list.length}>
      {lessons.list.length === 0 && (
        <Nothing>
          {lessons.ready
            ? trans.__('The lessons are not in this folder. In a terminal, natslab lab starts JupyterLab on them.')
            : trans.__('Looking for the lessons\u2026')}
        </Nothing>
      )}
      {begun === 0 && lessons.list.length > 0 && (
        <p className="nlp-rest">{trans.__('Nothing begun yet: the first one is a good start.')}</p>
      )}
      <ul className="nlp-list">
        {lessons.list.map(lesson => (
          <Entry key={lesson.path} lesson={lesson} />
        ))}
      </ul>
    </Section>
  );
}
