package example.lever

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.ProducerScope
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.channels.trySendBlocking
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.launch
import mobile.Answer
import mobile.Downloader
import mobile.Engine
import mobile.Mobile
import mobile.Opener
import mobile.Options
import mobile.TokenSink

/** What was thrown by the engine; [kind] is one of the constants `Mobile.Kind…`. */
class LeverException(val kind: String, cause: Exception) : Exception(cause.message, cause)

/** A step of work that takes long, or what it was for. */
sealed interface Step<out T> {
    data class Progress(val task: String, val done: Long, val total: Long) : Step<Nothing>
    data class Done<T>(val value: T) : Step<T>
}

/** A piece of an answer, or the whole of it at the end. */
sealed interface Part {
    data class Text(val text: String) : Part

    /** What a model thinks before it answers. */
    data class Thought(val text: String) : Part
    data class Whole(val answer: Answer) : Part
}

/** Downloads the store at [url] to [dir]. Who collects no longer ends it; what has come stays, and the next download goes on with it. */
fun download(url: String, dir: String): Flow<Step<Unit>> = work(Downloader(url, dir), Downloader::cancel) { downloader ->
    downloader.download { task, done, total -> trySend(Step.Progress(task, done, total)) }
    send(Step.Done(Unit))
}

/** Opens a model and its draft, which may be "". [configure] sets memory and the like. Who collects no longer ends it. */
fun openModel(modelDir: String, draftDir: String, configure: Opener.() -> Unit): Flow<Step<Engine>> =
    work(Opener(modelDir, draftDir).apply(configure), Opener::cancel) { opener ->
        val engine = opener.open { task, done, total -> trySend(Step.Progress(task, done, total)) }
        try {
            send(Step.Done(engine))
        } catch (e: Exception) { // nobody takes it
            engine.close()
            throw e
        }
    }

/** Answers the next message of the conversation. Who collects no longer ends the answer. */
fun Engine.answer(prompt: String, options: Options? = null): Flow<Part> = work(this, Engine::cancel) { engine ->
    // No text may be lost, so the engine waits for who collects.
    val answer = engine.generate(prompt, options, object : TokenSink {
        override fun onText(text: String) = trySendBlocking(Part.Text(text)).isSuccess
        override fun onThought(text: String) = trySendBlocking(Part.Thought(text)).isSuccess
    })
    send(Part.Whole(answer))
}

/** Runs blocking work on a thread of its own, as a flow; [cancel] ends it when nobody collects any more. */
private fun <S, T> work(subject: S, cancel: (S) -> Unit, body: suspend ProducerScope<T>.(S) -> Unit): Flow<T> = callbackFlow {
    val collector = this
    launch(Dispatchers.IO) {
        try {
            collector.body(subject)
            close()
        } catch (e: Exception) {
            close(LeverException(Mobile.kindOf(e), e))
        }
    }
    awaitClose { cancel(subject) }
}
