import './panel.css';
import './status.css';
import './dock.css';
import './editor.css';
import './picture.css';
