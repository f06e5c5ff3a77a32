package example.lever

import android.app.ActivityManager
import android.app.Application
import android.os.PowerManager
import android.util.Log
import java.io.File
import java.util.concurrent.Executors
import kotlin.math.max
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.onEach
import mobile.Engine
import mobile.Mobile

/** Holds the model for as long as the process lives, through rotations and changes of screens. */
class ChatApp : Application() {
    var engine: Engine? = null
        private set

    // App-private storage on the internal file system, where direct reads work, and that is not backed up.
    private val model get() = File(noBackupFilesDir, "model.lever")
    private val session get() = File(noBackupFilesDir, "chat.session").path
    private val background = Executors.newSingleThreadExecutor()

    override fun onCreate() {
        super.onCreate()
        val power = getSystemService(PowerManager::class.java)
        power.addThermalStatusListener(background, ::onThermalStatus)
    }

    /** Downloads the model where it is not there, opens it, and goes on with the conversation that was kept. */
    fun prepare(): Flow<Step<Engine>> = flow {
        if (!model.isDirectory) {
            download(getString(R.string.model_url), model.path).collect { step -> if (step is Step.Progress) emit(step) }
        }
        emitAll(openModel(model.path, "") {
            memoryBytes = memoryForWeights()
            bigCores = true
            cacheDir = File(cacheDir, "lever").path
        }.onEach { step -> if (step is Step.Done) keep(step.value) })
    }

    /** Removes a model whose files are damaged, so that it is downloaded again. */
    fun removeModel() = model.deleteRecursively()

    private fun keep(opened: Engine) {
        engine = opened
        onThermalStatus(getSystemService(PowerManager::class.java).currentThermalStatus)
        try {
            opened.loadSession(session)
        } catch (e: Exception) { // there is none yet, or it is of another version: a new conversation begins
            if (Mobile.kindOf(e) != Mobile.KindNotFound) Log.w("lever", e)
        }
    }

    /** Half of what the system can give leaves room for other apps. */
    private fun memoryForWeights(): Long {
        val info = ActivityManager.MemoryInfo()
        getSystemService(ActivityManager::class.java).getMemoryInfo(info)
        return max((info.availMem - info.threshold) / 2, 256L shl 20)
    }

    /** A hot phone gets less work, and a very hot one none until it has cooled down. */
    private fun onThermalStatus(status: Int) {
        val load = when {
            status >= PowerManager.THERMAL_STATUS_CRITICAL -> 0L
            status >= PowerManager.THERMAL_STATUS_SEVERE -> 40L
            status >= PowerManager.THERMAL_STATUS_MODERATE -> 70L
            else -> 100L
        }
        try {
            engine?.setLoad(load)
        } catch (e: Exception) {
            Log.w("lever", e)
        }
    }

    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        inBackground { trim(level.toLong()) }
    }

    /** Takes back the memory that was given up while the app was hidden. */
    fun onShown() = inBackground { trim(0) }

    /** Ends the answer under way, and keeps the conversation in case that the system ends the process. */
    fun onHidden() {
        engine?.cancel()
        inBackground { saveSession(session) }
    }

    private fun inBackground(work: Engine.() -> Unit) {
        val opened = engine ?: return
        background.execute {
            try {
                opened.work()
            } catch (e: Exception) {
                Log.w("lever", e)
            }
        }
    }
}
