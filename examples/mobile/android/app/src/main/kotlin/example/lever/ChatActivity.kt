package example.lever

import android.app.Activity
import android.os.Bundle
import android.text.InputType
import android.view.View
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.view.WindowInsets
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.ScrollView
import android.widget.TextView
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import mobile.Answer
import mobile.Engine
import mobile.Mobile

/** The one screen: the conversation, what goes on, and the question that is written. */
class ChatActivity : Activity() {
    private val app get() = application as ChatApp
    private val scope = MainScope()
    private var answering: Job? = null
    private var thinking = false

    private lateinit var log: TextView
    private lateinit var scroll: ScrollView
    private lateinit var status: TextView
    private lateinit var progress: ProgressBar
    private lateinit var question: EditText
    private lateinit var button: Button

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(buildScreen())
        log.text = savedInstanceState?.getString("log") ?: ""
        if (app.engine == null) prepare() else ready()
    }

    override fun onStart() {
        super.onStart()
        app.onShown()
    }

    override fun onStop() {
        super.onStop()
        answering?.cancel()
        app.onHidden()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString("log", log.text.toString())
    }

    override fun onDestroy() {
        super.onDestroy()
        scope.cancel()
    }

    private fun prepare() {
        setButton(R.string.stop) { scope.coroutineContext[Job]?.let { job -> job.children.forEach { it.cancel() } } }
        scope.launch {
            try {
                app.prepare().collect { step -> if (step is Step.Progress) show(step) }
                ready()
            } catch (e: LeverException) {
                if (e.kind == Mobile.KindDamaged) app.removeModel()
                failed(e)
            } finally {
                progress.visibility = View.GONE
                if (app.engine == null) setButton(R.string.again) { prepare() }
            }
        }
    }

    private fun ready() {
        status.setText(R.string.ready)
        setButton(R.string.send) { send() }
    }

    private fun send() {
        val engine = app.engine ?: return
        val text = question.text.toString().trim()
        if (text.isEmpty()) return
        question.text.clear()
        append("\n> $text\n\n")
        setButton(R.string.stop) { answering?.cancel() }
        answering = scope.launch {
            val watching = launch { watch(engine) }
            try {
                engine.answer(text).collect { part ->
                    when (part) {
                        is Part.Thought -> thinking = true
                        is Part.Text -> {
                            thinking = false
                            append(part.text)
                        }
                        is Part.Whole -> ended(part.answer)
                    }
                }
            } catch (e: CancellationException) {
                status.setText(R.string.stopped)
                throw e
            } catch (e: LeverException) {
                failed(e)
                if (e.kind == Mobile.KindTooLong) engine.reset()
            } finally {
                watching.cancel()
                thinking = false
                append("\n")
                setButton(R.string.send) { send() }
            }
        }
    }

    /** Shows what the answer under way has taken so far. */
    private suspend fun watch(engine: Engine) {
        while (true) {
            delay(500)
            val s = engine.statistics()
            status.text = when {
                s.tokens == 0L -> getString(R.string.reading, s.promptDone, s.promptTokens)
                thinking -> getString(R.string.thinking)
                else -> getString(R.string.speed, s.tokensPerSecond, s.tokensPerPass)
            }
        }
    }

    private fun ended(answer: Answer) {
        val speed = getString(R.string.speed, answer.tokensPerSecond, answer.tokensPerPass)
        status.text = if (answer.finish == "stop") speed else getString(R.string.cut) + " " + speed
    }

    private fun failed(e: LeverException) {
        status.text = when (e.kind) {
            Mobile.KindBusy -> getString(R.string.busy)
            Mobile.KindNotFound -> getString(R.string.not_found)
            Mobile.KindDamaged, Mobile.KindVersion -> getString(R.string.damaged)
            Mobile.KindMemory -> getString(R.string.memory)
            Mobile.KindStorage -> getString(R.string.storage)
            Mobile.KindNetwork -> getString(R.string.network)
            Mobile.KindTooLong -> getString(R.string.too_long)
            else -> getString(R.string.other, e.message)
        }
    }

    private fun show(step: Step.Progress) {
        progress.visibility = View.VISIBLE
        progress.progress = if (step.total > 0) (1000 * step.done / step.total).toInt() else 0
        status.text = step.task
    }

    /** Adds to the conversation, and keeps its end in view unless the reader scrolled up. */
    private fun append(text: String) {
        val atEnd = !scroll.canScrollVertically(1)
        log.append(text)
        if (atEnd) scroll.post { scroll.fullScroll(View.FOCUS_DOWN) }
    }

    private fun setButton(text: Int, action: () -> Unit) {
        button.setText(text)
        button.setOnClickListener { action() }
    }

    private fun buildScreen(): View {
        log = TextView(this).apply { setTextIsSelectable(true) }
        scroll = ScrollView(this).apply { addView(log) }
        progress = ProgressBar(this, null, android.R.attr.progressBarStyleHorizontal).apply {
            max = 1000
            visibility = View.GONE
        }
        status = TextView(this).apply { accessibilityLiveRegion = View.ACCESSIBILITY_LIVE_REGION_POLITE }
        question = EditText(this).apply {
            setHint(R.string.question)
            inputType = InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_FLAG_MULTI_LINE or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES
            maxLines = 5
        }
        button = Button(this)
        val input = LinearLayout(this).apply {
            addView(question, LinearLayout.LayoutParams(0, WRAP_CONTENT, 1f))
            addView(button, LinearLayout.LayoutParams(WRAP_CONTENT, WRAP_CONTENT))
        }
        return LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            addView(scroll, LinearLayout.LayoutParams(MATCH_PARENT, 0, 1f))
            for (below in listOf(progress, status, input)) addView(below, LinearLayout.LayoutParams(MATCH_PARENT, WRAP_CONTENT))
            val space = (16 * resources.displayMetrics.density).toInt()
            // The screen reaches below the system's bars and the keyboard.
            setOnApplyWindowInsetsListener { view, insets ->
                if (android.os.Build.VERSION.SDK_INT >= 30) {
                    val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.ime())
                    view.setPadding(bars.left + space, bars.top + space, bars.right + space, bars.bottom + space)
                } else {
                    view.setPadding(space, insets.systemWindowInsetTop + space, space, insets.systemWindowInsetBottom + space)
                }
                insets
            }
        }
    }
}
